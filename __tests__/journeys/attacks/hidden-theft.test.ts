import type { Express } from 'express'
import type { ProvisioningKeys, ProvisioningOptions } from '../../../lib/index.js'
import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { ASSERTION_TYPE, clientKey, signAssertion } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { refOf } from '../../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  type RunningServer,
  SECRET,
  startServer,
  WITH_ADMIN,
} from '../../support/server.js'

const EVERYTHING = 'provision:token provision:bind provision:register devices:create devices:read'
const THIEF = '192.0.2.66'
const OWNER = '192.0.2.1'
const LIMIT = 3

function mount(app: Express, keys: ProvisioningKeys): void {
  app.set('trust proxy', 'loopback')
  app.use(keys.router())
  const at = { audience: AUDIENCE }
  app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create', ...at }), (_req, res) => {
    res.sendStatus(201)
  })
  app.post('/admin', keys.redeemProvisioningKey({ scope: 'admin', ...at }), (_req, res) => {
    res.sendStatus(201)
  })
  app.get(
    '/whoami',
    keys.requireAccessToken({ anyScope: true, ...at }),
    (req, res) => void res.json(req.accessToken),
  )
  app.get('/devices', keys.requireProvisioningKey({ scope: 'devices:read', ...at }), (_req, res) => {
    res.sendStatus(200)
  })
}

async function withThief(
  rateLimit: Exclude<ProvisioningOptions['rateLimit'], undefined>,
  test: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const server = await startServer({ options: { rateLimit, policy: WITH_ADMIN }, mount })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const from = (address: string) => ({ 'X-Forwarded-For': address, 'X-Forwarded-Proto': 'https' })

function presentAt(path: string) {
  return (server: RunningServer, key: string, address: string) =>
    send(server, 'post', path).set(from(address)).set('Authorization', `Bearer ${key}`).send({})
}

type Attempt = (server: RunningServer, key: string, address: string) => PromiseLike<{ status: number }>

const exchange: Attempt = (server, key, address) => exchangeKey(server, key).set(from(address))

/** The places where the owner tries to redeem the key that a thief has redeemed before. */
const PLACES: [place: string, attempt: Attempt][] = [
  ['a custom route', presentAt('/devices')],
  ['a custom route that wants another scope', presentAt('/admin')],
  ['the token endpoint', exchange],
  ['bind', presentAt('/oauth/bind')],
  ['register', presentAt('/oauth/register')],
]

const replays = (server: RunningServer) => server.events.filter(({ type }) => type === 'key.replayed')

/** The status of a request with the access token of the thief. */
async function statusOfLoot(server: RunningServer, token: string): Promise<number> {
  const { status } = await send(server, 'get', '/whoami')
    .set(from(THIEF))
    .set('Authorization', `Bearer ${token}`)
  return status
}

const limits = { limit: LIMIT, windowMs: 300_000 }
const LIMITS = { token: limits, bind: limits, register: limits, redeem: limits }

describe('a thief who uses up the limits before and after it redeems a bearer key', () => {
  describe.each([
    ['from an address of its own', THIEF],
    ['from the address of the owner', OWNER],
  ])('%s', (_title, address) => {
    test.each(PLACES)('is revealed by the attempt of the owner at %s', (_place, attempt) =>
      withThief(LIMITS, async (server) => {
        const key = await obtainKey(server, { scope: EVERYTHING })
        // The last request within the limit redeems.
        for (let i = 1; i < LIMIT; i += 1)
          await exchangeKey(server, key, { scope: 'admin' }).set(from(address)).expect(400)
        const { body } = await exchangeKey(server, key, { scope: 'devices:read' })
          .set(from(address))
          .expect(200)
        expect(await statusOfLoot(server, body.access_token)).toBe(200)
        for (let i = 0; i < 2 * LIMIT; i += 1) {
          await presentAt('/devices')(server, 'not-a-key', address)
          await send(server, 'post', '/oauth/bind').set(from(address))
          await send(server, 'post', '/oauth/register').set(from(address))
        }
        expect(replays(server)).toEqual([])
        const { status } = await attempt(server, key, OWNER)
        expect([400, 401]).toContain(status)
        const { clientId, jti: keyId } = refOf(key)
        expect(replays(server)).toEqual([
          expect.objectContaining({ severity: 'high', keyId, clientId, address: OWNER, familyRevoked: true }),
        ])
        expect(await statusOfLoot(server, body.access_token)).toBe(401)
      }),
    )
  })

  test('gains nothing else from the way past a limit: an unredeemed key is refused with 429', () =>
    withThief(LIMITS, async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      const use = async (attempt: Attempt) => (await attempt(server, key, THIEF)).status
      for (const path of ['/devices', '/oauth/bind', '/oauth/register'])
        for (let i = 0; i < LIMIT; i += 1) await send(server, 'post', path).set(from(THIEF))
      for (let i = 0; i < LIMIT; i += 1) await exchangeKey(server, 'x').set(from(THIEF))
      for (const [, attempt] of PLACES) expect(await use(attempt)).toBe(429)
      const refused = server.events.filter((event) => event.type === 'request.refused').slice(-PLACES.length)
      expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['too_many_requests']))
      await exchangeKey(server, key).set(from(OWNER)).expect(200)
    }))

  test('gains no secret from it: a wrong one and a right one are refused alike', () =>
    withThief(LIMITS, async (server) => {
      for (let i = 0; i < LIMIT; i += 1) await askForKey(server).set(from(THIEF)).expect(200)
      await askForKey(server).set(from(THIEF)).expect(429)
      await askForKey(server, {}, { id: 'ci-runner', secret: 'wrong' }).set(from(THIEF)).expect(429)
    }))

  test('is revealed though the store of the limits does not answer', () => {
    let isDown = false
    const store = () => ({
      increment: async () => {
        if (isDown) throw new Error('connection lost')
        return { totalHits: 1, resetTime: undefined }
      },
      decrement: async () => undefined,
      resetKey: async () => undefined,
    })
    return withThief({ store }, async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      await exchangeKey(server, key).expect(200)
      isDown = true
      await presentAt('/devices')(server, key, OWNER).expect(401)
      await presentAt('/devices')(server, 'not-a-key', OWNER).expect(503)
      expect(replays(server)).toHaveLength(1)
    })
  })
})

describe('a thief that is a client itself, and uses up its own assertions', () => {
  const KEY = clientKey()
  const OWN_KEY = clientKey()
  const policy = { scopes: ['provision:token', 'devices:read'] }

  /** Client authentication that a limit refuses. */
  function authentication() {
    const assertion = { clientId: 'thief', audience: ISSUER, now: Math.floor(Date.now() / 1000) }
    return {
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: signAssertion(KEY, assertion),
    }
  }

  async function withLimitedThief(test: (server: RunningServer) => Promise<void>): Promise<void> {
    const clients = [
      { clientId: CLIENT, clientSecret: SECRET, policy },
      { clientId: 'thief', jwks: { keys: [KEY.jwk] }, policy },
    ]
    const server = await startServer({ options: { store: memoryStore({ maxProofsPerClient: 3 }), clients } })
    try {
      const ask = { grant_type: 'client_credentials', scope: 'devices:read' }
      for (const status of [200, 200, 200, 429])
        await postForm(server, '/oauth/token', { ...ask, ...authentication() }).expect(status)
      await test(server)
    } finally {
      await server.close()
    }
  }

  test.each([
    ['the same request', {}],
    ['a scope that the key lacks', { scope: 'admin' }],
  ])('is revealed by its use of a redeemed key: %s', (_title, form) =>
    withLimitedThief(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key, { ...form, ...authentication() }).expect(400)
      expect(body.error).toBe('invalid_request')
      expect(replays(server)).toMatchObject([{ keyId: refOf(key).jti, familyRevoked: true }])
    }),
  )

  test('gets 429 for a key that is not redeemed, and for the answer of an owner', () =>
    withLimitedThief(async (server) => {
      const scope = 'provision:token devices:read'
      const key = await obtainKey(server, { scope })
      await exchangeKey(server, key, authentication()).expect(429)
      await exchangeKey(server, key).expect(200)
      const target = { method: 'POST', url: `${ISSUER}/oauth/token` }
      const { body } = await askForKey(server, { scope }).set('DPoP', signProof(OWN_KEY, target))
      const redeem = () => exchangeKey(server, body.access_token).set('DPoP', signProof(OWN_KEY, target))
      await redeem().expect(200)
      await exchangeKey(server, body.access_token, authentication())
        .set('DPoP', signProof(OWN_KEY, target))
        .expect(429)
      await redeem().expect(200)
      expect(replays(server)).toEqual([])
    }))
})

describe('the owner of a bound key whose limit is used up', () => {
  const HOLDER = clientKey()
  const target = { method: 'POST', url: `${ISSUER}/oauth/token` }

  test('gets the outcome of its redemption later, and nothing is revoked', () =>
    withThief({ token: { limit: 2, windowMs: 300_000 } }, async (server) => {
      const { body } = await askForKey(server, { scope: EVERYTHING })
        .set(from(THIEF))
        .set('DPoP', signProof(HOLDER, target))
      const again = (address: string, form = {}) =>
        exchangeKey(server, body.access_token, form).set(from(address)).set('DPoP', signProof(HOLDER, target))
      await again(OWNER).expect(200)
      await again(OWNER).expect(200)
      await again(OWNER).expect(429)
      expect(replays(server)).toEqual([])
      // A different request with the redeemed key is a replay, whatever the limits say.
      await again(OWNER, { scope: 'devices:read' }).expect(400)
      expect(replays(server)).toHaveLength(1)
    }))
})
