import type { Express } from 'express'
import type { Response } from 'supertest'
import { memoryStore, type ProvisioningKeys } from '../../../lib/index.js'
import { bindingBody } from '../../support/binding.js'
import { forgeKey, signedAs } from '../../support/forge.js'
import { farAway, REDEEM, refOf } from '../../support/redeeming.js'
import { exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { times } from '../../support/scale.js'
import { CLIENT, mountAll, type RunningServer, SECRET, startServer } from '../../support/server.js'

const EVERYTHING = {
  scope: 'provision:token provision:bind provision:register devices:create devices:read',
}

/** The number of concurrent requests. */
const MANY = times({ all: 100, few: 30 })

type Act = (server: RunningServer, key: string) => PromiseLike<Response>

const withKey = (server: RunningServer, path: string, key: string) =>
  send(server, 'post', path).set('Authorization', `Bearer ${key}`)

const ACTIONS: Record<string, Act> = {
  'the token exchange': (server, key) => exchangeKey(server, key, { scope: 'devices:read' }),
  bind: (server, key) => withKey(server, '/oauth/bind', key).send(bindingBody(key)),
  register: (server, key) => withKey(server, '/oauth/register', key).send({ scope: 'devices:read' }),
  'a route of the host': (server, key) => withKey(server, '/devices', key),
  'a route of the host that takes its time': (server, key) => withKey(server, '/slow', key),
}

function mount(app: Express, keys: ProvisioningKeys): void {
  app.post('/slow', keys.redeemProvisioningKey(REDEEM), (_req, res) => {
    setTimeout(() => res.sendStatus(201), 30)
  })
  mountAll(app, keys)
}

async function withServer(test: (server: RunningServer) => Promise<void>, isFar = false): Promise<void> {
  const memory = memoryStore()
  const store = isFar ? { ...memory, ...farAway(memory) } : memory
  const server = await startServer({ mount, options: { store } })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const statuses = (responses: readonly Response[]) => responses.map(({ status }) => status)
const successes = (responses: readonly Response[]) => responses.filter(({ status }) => status < 300)

function tell(server: RunningServer, type: string) {
  return server.events.filter((event) => event.type === type)
}

async function introspect(server: RunningServer, token: string): Promise<{ active: boolean }> {
  const response = await postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET).expect(200)
  return response.body
}

describe('one key', () => {
  describe.each([
    ['near', false],
    ['far away', true],
  ] as const)('with a store that is %s', (_where, isFar) => {
    // With a distant store, only the slow actions are interesting.
    const actions = Object.entries(ACTIONS).filter(([title]) => !isFar || /slow|exchange|time/.test(title))
    test.each(actions)('is good for one of many concurrent redemptions at %s', (_title, act) =>
      withServer(async (server) => {
        const key = await obtainKey(server, EVERYTHING)
        const responses = await Promise.all(Array.from({ length: MANY }, () => act(server, key)))
        expect(successes(responses)).toHaveLength(1)
        expect(statuses(responses).filter((status) => ![200, 201, 400, 401].includes(status))).toEqual([])
        expect(tell(server, 'key.redeemed')).toHaveLength(1)
        const refused = tell(server, 'request.refused').map((event) => 'reason' in event && event.reason)
        expect(refused).toHaveLength(MANY - 1)
        expect(new Set(['key_redeeming', 'key_redeemed', ...refused]).size).toBe(2)
      }, isFar),
    )

    test('is good for one of many concurrent redemptions of all kinds', () =>
      withServer(async (server) => {
        const key = await obtainKey(server, EVERYTHING)
        const acts = Object.values(ACTIONS)
        const responses = await Promise.all(
          Array.from({ length: MANY }, (_, i) => (acts[i % acts.length] as Act)(server, key)),
        )
        expect(successes(responses)).toHaveLength(1)
        expect(statuses(responses).every((status) => status < 500)).toBe(true)
        const brought = ['token.issued', 'client.bound', 'client.registered'].flatMap((type) =>
          tell(server, type),
        )
        expect(brought.length).toBeLessThanOrEqual(1)
      }, isFar))

    test('is either redeemed or revoked when both are tried concurrently', () =>
      withServer(async (server) => {
        const ends = { redeemed: 0, revoked: 0 }
        for (let round = 0; round < 30; round += 1) {
          const key = await obtainKey(server, EVERYTHING)
          const act = Object.values(ACTIONS)[round % 5] as Act
          const revoke = () => postForm(server, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET)
          const first = round % 2 === 0
          const [redeemed, revoked] = first
            ? await Promise.all([act(server, key), revoke()])
            : await Promise.all([revoke(), act(server, key)]).then(([a, b]) => [b, a] as const)
          expect(revoked.status).toBe(200)
          expect([200, 201, 400, 401]).toContain(redeemed.status)
          const { jti } = refOf(key)
          const told = server.events
            .filter((event) => 'keyId' in event && event.keyId === jti)
            .map(({ type }) => type)
          const isRedeemed = told.includes('key.redeemed')
          expect(told.includes('key.revoked')).toBe(!isRedeemed)
          expect(redeemed.status < 300).toBe(isRedeemed)
          ends[isRedeemed ? 'redeemed' : 'revoked'] += 1
        }
        expect(ends.redeemed + ends.revoked).toBe(30)
      }, isFar))
  })

  test('has no result when it is revoked during a redemption, and the action is undone', async () => {
    const memory = memoryStore()
    const state: { keys?: ProvisioningKeys | undefined } = {}
    const settle: typeof memory.settle = async (ref, ...rest) => {
      await state.keys?.revokeKey({ clientId: ref.clientId, keyId: ref.jti })
      return memory.settle(ref, ...rest)
    }
    const server = await startServer({ mount, options: { store: { ...memory, settle } } })
    const forDevice = () => obtainKey(server, { ...EVERYTHING, requested_subject: 'device:9' })
    try {
      state.keys = server.keys
      for (const act of Object.values(ACTIONS)) {
        const response = await act(server, await forDevice())
        expect([400, 401]).toContain(response.status)
        expect(response.text).not.toMatch(/access_token|client_secret|binding_id/)
      }
      const brought = ['token.issued', 'client.bound', 'client.registered', 'key.redeemed']
      expect(brought.flatMap((type) => tell(server, type))).toEqual([])
      state.keys = undefined
      await withKey(server, '/oauth/register', await forDevice())
        .send({})
        .expect(201)
      const key = await forDevice()
      await withKey(server, '/oauth/bind', key).send(bindingBody(key)).expect(201)
    } finally {
      await server.close()
    }
  })
})

describe('a key that has been redeemed', () => {
  const replays = Object.entries({
    ...ACTIONS,
    'a guarded route': (server: RunningServer, key: string) =>
      send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`),
  })

  test.each(replays)('ends its result when it is replayed at %s', (_title, replay) =>
    withServer(async (server) => {
      const key = await obtainKey(server, EVERYTHING)
      const { body } = await exchangeKey(server, key).expect(200)
      expect(await introspect(server, body.access_token)).toMatchObject({ active: true })
      const { status } = await replay(server, key)
      expect([400, 401]).toContain(status)
      expect(await introspect(server, body.access_token)).toEqual({ active: false })
      expect(tell(server, 'key.replayed')).toEqual([
        expect.objectContaining({
          severity: 'high',
          keyId: refOf(key).jti,
          clientId: CLIENT,
          familyRevoked: true,
        }),
      ])
    }),
  )

  test('has its access token revoked once, however often it is replayed', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, EVERYTHING)
      await exchangeKey(server, key).expect(200)
      await Promise.all(Array.from({ length: 20 }, () => exchangeKey(server, key).expect(400)))
      const told = tell(server, 'key.replayed').map(
        (event) => 'familyRevoked' in event && event.familyRevoked,
      )
      expect(told.filter(Boolean)).toHaveLength(1)
      expect(told).toHaveLength(20)
    }))

  test.each<[string, (key: string) => string]>([
    ['its signature is wrong', (key) => forgeKey(key, { sign: signedAs('AAAA') })],
    [
      'it has been changed',
      (key) => forgeKey(key, { claims: { scope: 'devices:read' }, sign: signedAs('AAAA') }),
    ],
    ['it has no signature', (key) => forgeKey(key, { header: { alg: 'none' }, sign: signedAs('') })],
    ['it is for another audience', (key) => forgeKey(key, { claims: { aud: 'https://evil.example.com' } })],
    ['it is presented from another network', (key) => forgeKey(key, { claims: { cidr: ['192.0.2.0/24'] } })],
    ['its possession is not proven', (key) => forgeKey(key, { claims: { cnf: { jkt: 'x' } } })],
    [
      'it has expired',
      (key) => forgeKey(key, { claims: { iat: 1_700_000_000, nbf: 1_700_000_000, exp: 1_700_000_300 } }),
    ],
    ['it is another spelling of it', (key) => `${key}=`],
  ])('loses nothing to a replay that is not valid otherwise: %s', (_title, spoil) =>
    withServer(async (server) => {
      const key = await obtainKey(server, EVERYTHING)
      const { body } = await exchangeKey(server, key).expect(200)
      for (const act of Object.values(ACTIONS))
        expect((await act(server, spoil(key))).status).toBeGreaterThanOrEqual(400)
      expect(await introspect(server, body.access_token)).toMatchObject({ active: true })
      expect(tell(server, 'key.replayed')).toEqual([])
    }),
  )
})

describe('one identity', () => {
  const forDevice = (server: RunningServer) =>
    Array.from({ length: 12 }, () => obtainKey(server, { ...EVERYTHING, requested_subject: 'device:9' }))

  test.each(['register', 'bind'] as const)(
    'is good for one %s, and spends no key of those who come too late',
    (name) =>
      withServer(async (server) => {
        const act = ACTIONS[name] as Act
        const keys = await Promise.all(forDevice(server))
        const responses = await Promise.all(keys.map((key) => act(server, key)))
        expect(statuses(responses).sort()).toEqual([201, ...Array(11).fill(400)])
        const late = keys.filter((_, i) => responses[i]?.status === 400)
        const exchanged = await Promise.all(late.map((key) => exchangeKey(server, key)))
        expect(new Set(statuses(exchanged))).toEqual(new Set([200]))
      }, true),
  )
})
