import { ProvisioningError } from '../../../lib/base/errors.js'
import { memoryStore, type ProvisioningOptions, type ProvisioningStore } from '../../../lib/index.js'
import { callApi, mountAccess, obtainToken } from '../../support/access-tokens.js'
import { bindingBody } from '../../support/binding.js'
import { decodeJwt } from '../../support/forge.js'
import { startRedeeming } from '../../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

const START = 1_700_000_000
const TOLERANCE = 5
const AUTHORISED = { id: 'bystander', secret: SECRET }

/** Two instances with one store and one clock. */
async function twoInstances(
  test: (a: RunningServer, b: RunningServer, clock: { seconds: number }) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
) {
  const clock = { seconds: START }
  const now = () => clock.seconds * 1000
  const shared = { store: memoryStore({ now }), now, ...options }
  const servers: RunningServer[] = []
  try {
    for (let i = 0; i < 2; i += 1) servers.push(await startServer({ options: shared }))
    await test(servers[0] as RunningServer, servers[1] as RunningServer, clock)
  } finally {
    await Promise.all(servers.map((server) => server.close()))
  }
}

/** Every way to use a key, and the status of its success. */
const USES: Record<string, readonly [scope: string, status: number, use: Use]> = {
  'at a guarded route': ['devices:read', 200, (on, key) => send(on, 'get', '/devices').set(bearer(key))],
  'at a redeeming route': ['devices:create', 201, (on, key) => send(on, 'post', '/devices').set(bearer(key))],
  'for an access token': ['provision:token devices:read', 200, (on, key) => exchangeKey(on, key)],
  'to bind': [
    'provision:bind',
    201,
    (on, key) => send(on, 'post', '/oauth/bind').set(bearer(key)).send(boundNow(key)),
  ],
  'to register': [
    'provision:register devices:read',
    201,
    (on, key) => send(on, 'post', '/oauth/register').set(bearer(key)).send({ client_name: 'a' }),
  ],
}

type Use = (server: RunningServer, key: string) => ReturnType<typeof exchangeKey>

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })
const boundNow = (key: string) => bindingBody(key, { claims: { iat: decodeJwt(key).payload['iat'] } })

function introspect(server: RunningServer, token: string) {
  return postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET)
}

function reasonsOf({ events }: RunningServer) {
  return events.flatMap((event) => (event.type === 'request.refused' ? [event.reason] : []))
}

describe('revokeAllIssuedBefore', () => {
  test.each(Object.entries(USES))(
    'has a key refused %s, on the other instance too',
    (_, [scope, status, use]) =>
      twoInstances(async (a, b, clock) => {
        const keys = [await obtainKey(a, { scope }), await obtainKey(b, { scope })]
        const unharmed = await use(b, await obtainKey(a, { scope, requested_subject: 'device:unharmed' }))
        expect(unharmed.status).toBe(status)
        expect(await a.keys.revokeAllIssuedBefore(new Date(START * 1000))).toBe('revoked')
        for (const on of [a, b])
          for (const key of keys) expect((await use(on, key)).status).toBeGreaterThan(399)
        expect([...reasonsOf(a), ...reasonsOf(b)]).toEqual(Array(4).fill('key_revoked'))
        clock.seconds += TOLERANCE + 1
        const later = await use(b, await obtainKey(a, { scope, requested_subject: 'device:later' }))
        expect(later.status).toBe(status)
      }),
  )

  test('makes keys and access tokens of before inactive, and leaves those of after active', () =>
    twoInstances(async (a, b, clock) => {
      const key = await obtainKey(a)
      const token = (await exchangeKey(a, await obtainKey(a)).expect(200)).body.access_token
      expect((await introspect(b, token)).body).toMatchObject({ active: true })
      await a.keys.revokeAllIssuedBefore(new Date(START * 1000))
      for (const one of [key, token, decodeJwt(key).payload['jti'] as string]) {
        expect((await introspect(b, one)).body).toEqual({ active: false })
      }
      clock.seconds += TOLERANCE + 1
      const fresh = (await exchangeKey(a, await obtainKey(a)).expect(200)).body.access_token
      expect((await introspect(b, fresh)).body).toMatchObject({ active: true })
      // The store may have forgotten the revocation long before.
      clock.seconds += 599 - TOLERANCE
      expect((await introspect(b, token)).body).toEqual({ active: false })
    }))

  test('has access tokens of before refused at guarded routes, and none of after', async () => {
    const clock = { seconds: START }
    const server = await startServer({ options: { now: () => clock.seconds * 1000 }, mount: mountAccess })
    try {
      const { token } = await obtainToken(server)
      await callApi(server, token).expect(200)
      await server.keys.revokeAllIssuedBefore(new Date(START * 1000))
      await callApi(server, token).expect(401)
      clock.seconds += TOLERANCE + 1
      await callApi(server, (await obtainToken(server)).token).expect(200)
      await callApi(server, token).expect(401)
      expect(reasonsOf(server)).toEqual(['token_revoked', 'token_revoked'])
    } finally {
      await server.close()
    }
  })

  test('does not revoke keys that are issued after the time', () =>
    twoInstances(async (a, b, clock) => {
      const before = await obtainKey(a, { scope: 'devices:read' })
      clock.seconds += 60
      const after = await obtainKey(a, { scope: 'devices:read' })
      await a.keys.revokeAllIssuedBefore(new Date((START + 30) * 1000))
      await send(b, 'get', '/devices').set(bearer(before)).expect(401)
      await send(b, 'get', '/devices').set(bearer(after)).expect(200)
      await askForKey(a).expect(200)
    }))

  test('covers the keys of an instance whose clock is ahead, as far as that is tolerated', () =>
    twoInstances(async (a, b, clock) => {
      clock.seconds += TOLERANCE
      const early = await obtainKey(a, { scope: 'devices:read' })
      clock.seconds -= TOLERANCE
      await b.keys.revokeAllIssuedBefore(new Date(START * 1000))
      await send(b, 'get', '/devices').set(bearer(early)).expect(401)
    }))

  test('refuses to issue keys that would be revoked immediately, and says when to retry', () =>
    twoInstances(async (a, b, clock) => {
      await a.keys.revokeAllIssuedBefore(new Date(START * 1000))
      const { body, headers } = await askForKey(b).expect(503)
      expect([body.error, headers['retry-after']]).toEqual(['temporarily_unavailable', `${TOLERANCE + 1}`])
      expect(b.events.map(({ type }) => type)).toEqual(['request.refused'])
      clock.seconds += TOLERANCE + 1
      await askForKey(b).expect(200)
    }))

  test('tells a redemption that is under way, whose route has run, that the key is revoked', async () => {
    let revoke: () => Promise<unknown> = async () => undefined
    const server = await startRedeeming({
      handlers: [(_req, res) => void revoke().then(() => res.status(201).json({ made: true }))],
    })
    try {
      revoke = () => server.keys.revokeAllIssuedBefore(new Date())
      const key = await server.key()
      await server.act(key).expect(401)
      expect(await server.stateOf(key)).toBe('revoked')
      expect(reasonsOf(server)).toEqual(['key_revoked'])
    } finally {
      await server.close()
    }
  })

  test('of one client revokes its keys, those for it, and nobody else’s', () =>
    twoInstances(async (a, b) => {
      const scope = 'provision:token devices:read'
      const own = await obtainKey(a, { scope })
      const forDevice = await obtainKey(a, { scope, requested_subject: 'device:1' })
      const another: string = (await askForKey(a, { scope }, AUTHORISED)).body.access_token
      await a.keys.revokeAllIssuedBefore(new Date(START * 1000), { clientId: 'device:1' })
      await exchangeKey(b, forDevice).expect(400)
      const token = (await exchangeKey(b, await obtainKey(a, { scope })).expect(200)).body.access_token
      await b.keys.revokeAllIssuedBefore(new Date(START * 1000), { clientId: CLIENT })
      await exchangeKey(a, own).expect(400)
      expect((await introspect(a, token)).body).toEqual({ active: false })
      await exchangeKey(a, another).expect(200)
      await askForKey(a, {}, AUTHORISED).expect(400)
      await askForKey(a, { scope }, AUTHORISED).expect(200)
      await askForKey(a).expect(503)
    }))

  test('gives back the places of the keys that it revokes', () =>
    twoInstances(
      async (a, _b, clock) => {
        for (const status of [200, 200, 429]) await askForKey(a).expect(status)
        await a.keys.revokeAllIssuedBefore(new Date(START * 1000))
        clock.seconds += TOLERANCE + 1
        for (const status of [200, 200, 429]) await askForKey(a).expect(status)
      },
      {
        policy: { scopes: ['provision:token', 'devices:create', 'devices:read'], outstandingKeys: 2 },
        clients: [{ clientId: CLIENT, clientSecret: SECRET, policy: { defaultScopes: ['provision:token'] } }],
      },
    ))

  test.each([
    ['does not answer', () => Promise.reject(new Error('connection refused'))],
    [
      'throws',
      () => {
        throw new Error('connection refused')
      },
    ],
  ])('rejects when the store %s, and tells of nothing', async (_, revokeIssuedBefore) => {
    const store: ProvisioningStore = { ...memoryStore(), revokeIssuedBefore }
    const server = await startServer({ options: { store } })
    try {
      const rejection = server.keys.revokeAllIssuedBefore(new Date())
      await expect(rejection).rejects.toBeInstanceOf(ProvisioningError)
      await expect(rejection).rejects.toMatchObject({
        reason: 'store_unavailable',
        code: 'temporarily_unavailable',
      })
      expect(server.events).toEqual([])
    } finally {
      await server.close()
    }
  })
})
