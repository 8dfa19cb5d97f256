import type { ProvisioningStore } from '../../../lib/ports/store.js'
import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { redisStore } from '../../../lib/stores/redis/redis.js'
import { ASSERTION_TYPE, clientKey, signAssertion } from '../../support/client-assertion'
import { signProof } from '../../support/proof'
import { PATIENCE_SECONDS } from '../../support/redis/bench'
import { CLIENTS } from '../../support/redis/clients'
import { type RedisServer, startRedis } from '../../support/redis/servers'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests'
import { AUDIENCE, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server'

const KEY = clientKey()
const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }
const RESOURCE = { method: 'GET', url: `${AUDIENCE}/devices` }
const OTHER = { id: 'bystander', secret: SECRET }
const SIGNER = clientKey()

interface Flood {
  readonly path?: string
  readonly scheme?: 'DPoP' | 'Bearer'
}

/** Sends proofs with a key and counts the statuses. */
async function flood(
  server: RunningServer,
  key: string,
  proofs: number,
  { path = '/devices', scheme = 'DPoP' }: Flood = {},
) {
  const statuses: Record<number, number> = {}
  for (let i = 0; i < proofs; i += 1) {
    const proof = signProof(KEY, { ...RESOURCE, url: `${AUDIENCE}${path}` }, { token: key })
    const { status } = await send(server, 'get', path)
      .set('Authorization', `${scheme} ${key}`)
      .set('DPoP', proof)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  return statuses
}

/** A key that is bound to the proof key. */
async function boundKey(server: RunningServer): Promise<string> {
  const asked = askForKey(server, { scope: 'devices:read provision:token' })
  const { body } = await asked.set('DPoP', signProof(KEY, TOKEN)).expect(200)
  return body.access_token
}

/** Asks for a key with a proof, as a client that is not part of the flood. */
const askAsOther = (server: RunningServer) =>
  askForKey(server, { scope: 'devices:read' }, OTHER).set('DPoP', signProof(KEY, TOKEN))

async function withStore(
  store: ProvisioningStore,
  test: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const policy = { scopes: ['devices:read', 'provision:token'] }
  const clients = [
    ...['ci-runner', 'bystander'].map((clientId) => ({ clientId, clientSecret: SECRET, policy })),
    { clientId: 'signer', jwks: { keys: [SIGNER.jwk] }, policy },
  ]
  const server = await startServer({
    options: { store, clients, rateLimit: false },
    mount(app, keys) {
      app.use(keys.router())
      const done = (_: unknown, res: { json(body: object): unknown }) => void res.json({})
      app.get('/devices', keys.requireProvisioningKey({ scope: 'devices:read', audience: AUDIENCE }), done)
      app.get('/tokens', keys.requireAccessToken({ scope: 'devices:read', audience: AUDIENCE }), done)
      app.use(keys.errorHandler())
    },
  })
  await test(server).finally(server.close)
}

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.close())

const STORES: Record<string, (test: (server: RunningServer) => Promise<void>) => Promise<void>> = {
  // The smallest store in which a client cannot use up all places: 5 proofs of a key, 10 of a client, 30 in total.
  'in memory': (test) => withStore(memoryStore({ maxKeys: 30 }), test),
  async 'in Redis'(test) {
    await redis.cli('FLUSHALL')
    const client = await CLIENTS.ioredis(redis)
    const limits = { maxProofsPerKey: 5, maxProofsPerClient: 10, timeoutSeconds: PATIENCE_SECONDS }
    const store = redisStore({ sendCommand: client.sendCommand, ...limits })
    await withStore(store, test).finally(client.close)
  },
}

describe.each(Object.entries(STORES))('proofs that are remembered %s', (_, withServer) => {
  it('are none of a bearer key or a bearer token, so that nobody can use up the limit of its owner', () =>
    withServer(async (server) => {
      const scheme = 'Bearer'
      const key = await obtainKey(server, { scope: 'devices:read provision:token' })
      expect(await flood(server, key, 40, { scheme })).toEqual({ 200: 40 })
      await askAsOther(server).expect(200)
      const { body } = await exchangeKey(server, key).expect(200)
      expect(await flood(server, body.access_token, 40, { path: '/tokens', scheme })).toEqual({ 200: 40 })
      await askAsOther(server).expect(200)
    }))

  it('are never so many of one bound key that another client is refused', () =>
    withServer(async (server) => {
      const key = await boundKey(server)
      expect(await flood(server, key, 40)).toEqual({ 200: 5, 429: 35 })
      await askAsOther(server).expect(200)
      expect(server.events.at(-2)).toMatchObject({ type: 'request.refused', reason: 'too_many_proofs' })
    }))

  it('are never so many of all keys of one client that another is refused', () =>
    withServer(async (server) => {
      const counts: Record<number, number> = {}
      for (const key of [await boundKey(server), await boundKey(server), await boundKey(server)]) {
        const statuses = await flood(server, key, 5)
        for (const [status, count] of Object.entries(statuses))
          counts[Number(status)] = (counts[Number(status)] ?? 0) + count
      }
      expect(counts).toEqual({ 200: 10, 429: 5 })
      await askAsOther(server).expect(200)
      // The client itself can continue, because the uses of its keys do not count for it.
      await boundKey(server)
    }))

  it('are never so many of an access token, whose key counts, that another client is refused', () =>
    withServer(async (server) => {
      const key = await boundKey(server)
      const exchange = () => exchangeKey(server, key).set('DPoP', signProof(KEY, TOKEN))
      const { body } = await exchange().expect(200)
      // The proof of the exchange takes one place of the key.
      expect(await flood(server, body.access_token, 40, { path: '/tokens' })).toEqual({ 200: 4, 429: 36 })
      await askAsOther(server).expect(200)
    }))

  it('are never so many of a client that asks for keys that another is refused', () =>
    withServer(async (server) => {
      const ask = () => askForKey(server, { scope: 'devices:read' }).set('DPoP', signProof(KEY, TOKEN))
      const statuses: number[] = []
      for (let i = 0; i < 12; i += 1) statuses.push((await ask()).status)
      expect(statuses).toEqual([...Array(10).fill(200), 429, 429])
      await askAsOther(server).expect(200)
    }))

  it('count for a client as its assertions do', () =>
    withServer(async (server) => {
      const about = () => ({ clientId: 'signer', audience: ISSUER, now: Math.floor(Date.now() / 1000) })
      const ask = () =>
        postForm(server, '/oauth/token', {
          grant_type: 'client_credentials',
          scope: 'devices:read',
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: signAssertion(SIGNER, about()),
        })
      const statuses: number[] = []
      for (let i = 0; i < 12; i += 1) statuses.push((await ask()).status)
      expect(statuses).toEqual([...Array(10).fill(200), 429, 429])
      await askAsOther(server).expect(200)
    }))
})

describe('thousands of proofs', () => {
  it('of one key leave 99 of 100 places of a store in memory to others', async () => {
    const store = memoryStore({ maxKeys: 2_000 })
    const until = Date.now() / 1000 + 60
    const owner = { clientId: 'a', jti: 'k' }
    const answers = await Promise.all(
      Array.from({ length: 5_000 }, (_, i) => store.useOnce(`${i}`, until, owner)),
    )
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(20)
    expect(await store.useOnce('other', until, { clientId: 'b' })).toBe('first')
  })

  it('of one key in Redis leave nothing behind beyond the limit', async () => {
    await redis.cli('FLUSHALL')
    const client = await CLIENTS.ioredis(redis)
    const { sendCommand } = client
    const store = redisStore({ sendCommand, maxProofsPerKey: 100, timeoutSeconds: PATIENCE_SECONDS })
    const until = Date.now() / 1000 + 60
    const owner = { clientId: 'a', jti: 'k' }
    const answers = await Promise.all(
      Array.from({ length: 5_000 }, (_, i) => store.useOnce(`${i}`, until, owner)),
    )
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(100)
    expect(await redis.cli('DBSIZE')).toBe('102')
    const names = (await redis.cli('KEYS', '*')).split('\n')
    expect(new Set(names.map((name) => /{.+?}/.exec(name)?.[0])).size).toBe(1)
    for (const name of names) expect(Number(await redis.cli('TTL', name))).toBeGreaterThan(0)
    await client.close()
  })

  it('that are over leave nothing in memory', async () => {
    const clock = { seconds: 1_000 }
    const store = memoryStore({ now: () => clock.seconds * 1000, maxProofsPerKey: 2, maxProofsPerClient: 3 })
    const owner = { clientId: 'a', jti: 'k' }
    for (let round = 0; round < 1_000; round += 1) {
      const answers = []
      for (const i of [1, 2, 3]) answers.push(await store.useOnce(`${i}`, clock.seconds + 5, owner))
      expect(answers).toEqual(['first', 'first', 'limited'])
      clock.seconds += 6
    }
  })
})
