import type { Express } from 'express'
import type { Response } from 'supertest'
import { memoryStore, type ProvisioningKeys } from '../../../lib/index.js'
import { bindingBody } from '../../support/binding.js'
import { REDEEM } from '../../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { CLIENT, mountAll, type RunningServer, SECRET, startServer } from '../../support/server.js'

const LIFETIME = 60
const TOLERANCE = 7

/** A server whose clock only the test moves. */
interface ClockedServer extends RunningServer {
  /** Moves the clock to so many seconds after the start. Fractions are allowed. */
  at(seconds: number): void
  now(): number
}

async function withClock(
  test: (server: ClockedServer) => Promise<void>,
  tolerance = TOLERANCE,
): Promise<void> {
  const start = Math.floor(Date.now() / 1000) * 1000
  let time = start
  const now = () => time
  const mount = (app: Express, keys: ProvisioningKeys) => {
    mountAll(app, keys)
    app.post('/slow', keys.redeemProvisioningKey(REDEEM), (req, res) => {
      time = start + Number(req.headers['x-until']) * 1000
      res.sendStatus(201)
    })
  }
  const options = { now, store: memoryStore({ now }), clockToleranceSeconds: tolerance }
  const server = await startServer({ options, mount })
  const at = (seconds: number) => {
    time = start + seconds * 1000
  }
  const clocked = { ...server, now, at }
  try {
    await test(clocked)
  } finally {
    await server.close()
  }
}

const ALL = 'provision:token provision:bind provision:register devices:create devices:read'

function shortKey(server: RunningServer): Promise<string> {
  return obtainKey(server, { scope: ALL, requested_expiry: String(LIFETIME) })
}

const withKey = (server: RunningServer, method: 'get' | 'post', path: string, key: string) =>
  send(server, method, path).set('Authorization', `Bearer ${key}`)

const ROUTES: [string, (server: ClockedServer, key: string) => PromiseLike<Response>][] = [
  ['a guarded route', (server, key) => withKey(server, 'get', '/devices', key)],
  ['a route that redeems', (server, key) => withKey(server, 'post', '/devices', key)],
  ['the token exchange', (server, key) => exchangeKey(server, key)],
  ['register', (server, key) => withKey(server, 'post', '/oauth/register', key).send({ client_name: 'a' })],
  [
    'bind',
    (server, key) =>
      withKey(server, 'post', '/oauth/bind', key).send(
        bindingBody(key, { claims: { iat: Math.floor(server.now() / 1000) } }),
      ),
  ],
]

describe.each(ROUTES)('a key at %s', (_title, present) => {
  test.each([0, LIFETIME - 1, LIFETIME + TOLERANCE - 1, LIFETIME + TOLERANCE - 0.001])(
    'is alive %d s after it was issued',
    (seconds) =>
      withClock(async (server) => {
        const key = await shortKey(server)
        server.at(seconds)
        expect((await present(server, key)).status).toBeLessThan(300)
      }),
  )

  test.each([LIFETIME + TOLERANCE, LIFETIME + TOLERANCE + 1, 100_000])(
    'is dead %d s after it was issued',
    (seconds) =>
      withClock(async (server) => {
        const key = await shortKey(server)
        server.at(seconds)
        expect([400, 401]).toContain((await present(server, key)).status)
        expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', reason: 'key_expired' })
      }),
  )

  test('is not valid yet for a clock that is behind by more than the tolerance', () =>
    withClock(async (server) => {
      const key = await shortKey(server)
      server.at(-TOLERANCE - 1)
      expect([400, 401]).toContain((await present(server, key)).status)
      expect(server.events.at(-1)).toMatchObject({ reason: 'key_not_yet_valid' })
      server.at(-TOLERANCE)
      expect((await present(server, key)).status).toBeLessThan(300)
    }))

  test('is dead on the second without any tolerance', () =>
    withClock(async (server) => {
      const [first, second] = [await shortKey(server), await shortKey(server)]
      server.at(LIFETIME)
      expect([400, 401]).toContain((await present(server, first)).status)
      server.at(LIFETIME - 0.001)
      expect((await present(server, second)).status).toBeLessThan(300)
    }, 0))
})

describe('time', () => {
  const introspect = async (server: RunningServer, token: string) =>
    (await postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET).expect(200)).body

  test('ends what introspection says of a key when the key ends, and of a token when the token ends', () =>
    withClock(async (server) => {
      const [key, other] = [await shortKey(server), await shortKey(server)]
      const { access_token: token } = (await exchangeKey(server, other).expect(200)).body
      server.at(LIFETIME - 1)
      expect((await introspect(server, key)).active).toBe(true)
      server.at(LIFETIME)
      expect(await introspect(server, key)).toEqual({ active: false })
      server.at(599)
      expect((await introspect(server, token)).active).toBe(true)
      server.at(600)
      expect(await introspect(server, token)).toEqual({ active: false })
    }))

  test('recognizes a replay as long as the result of the key is valid', () =>
    withClock(async (server) => {
      const key = await shortKey(server)
      const { access_token: token } = (await exchangeKey(server, key).expect(200)).body
      server.at(LIFETIME + TOLERANCE - 1)
      await exchangeKey(server, key).expect(400)
      expect(server.events.at(-2)).toMatchObject({ type: 'key.replayed', familyRevoked: true })
      expect(await introspect(server, token)).toEqual({ active: false })
    }))

  test('lets the handler finish that was begun in time', () =>
    withClock(async (server) => {
      const key = await shortKey(server)
      server.at(LIFETIME + TOLERANCE - 1)
      await withKey(server, 'post', '/slow', key)
        .set('X-Until', String(LIFETIME + TOLERANCE))
        .expect(201)
    }))

  test('refuses the handler that finishes when the store has forgotten its key', () =>
    withClock(async (server) => {
      const key = await shortKey(server)
      await withKey(server, 'post', '/slow', key)
        .set('X-Until', String(LIFETIME + TOLERANCE + 1))
        .expect(401)
      expect(server.events.at(-1)).toMatchObject({ reason: 'key_unknown' })
    }))

  test('gives the places of keys that have expired back to their client', async () => {
    const limited = {
      policy: {
        scopes: ['provision:token', 'devices:create', 'devices:read'],
        outstandingKeys: 2,
        maxLifetimeSeconds: LIFETIME,
        lifetimeSeconds: LIFETIME,
      },
    }
    let time = Date.now()
    const now = () => time
    const clients = [
      { clientId: CLIENT, clientSecret: SECRET, policy: { defaultScopes: ['provision:token'] } },
    ]
    const server = await startServer({ options: { ...limited, clients, now, store: memoryStore({ now }) } })
    try {
      await askForKey(server).expect(200)
      await askForKey(server).expect(200)
      await askForKey(server).expect(429)
      time += (LIFETIME + 6) * 1000
      await askForKey(server).expect(200)
    } finally {
      await server.close()
    }
  })
})
