import { generateKeyPairSync } from 'node:crypto'
import { bindingBody } from '../support/binding.js'
import { forgeKey, signWith } from '../support/forge.js'
import { exchangeKey, obtainKey, postForm, send } from '../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../support/server.js'

const EVERYTHING = 'provision:token provision:bind provision:register devices:create devices:read'

type Redeem = (server: RunningServer, key: string) => PromiseLike<{ status: number }>

/** The ways in which a key can be redeemed. */
const WAYS: Readonly<Record<string, Redeem>> = {
  token: exchangeKey,
  bind: (server, key) => authorized(server, '/oauth/bind', key).send(bindingBody(key)),
  register: (server, key) => authorized(server, '/oauth/register', key).send({ client_name: 'Sensor' }),
  custom: (server, key) => authorized(server, '/devices', key),
}

function authorized(server: RunningServer, path: string, key: string) {
  return send(server, 'post', path).set('Authorization', `Bearer ${key}`)
}

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startServer()
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const statusesOf = async (answers: readonly PromiseLike<{ status: number }>[]) =>
  (await Promise.all(answers)).map(({ status }) => status)

const isSuccess = (status: number) => status < 300

function introspect(server: RunningServer, token: string) {
  return postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET).expect(200)
}

describe('a key', () => {
  test.each(Object.entries(WAYS))('is redeemed by exactly one of 100 requests at once (%s)', (_way, redeem) =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      const statuses = await statusesOf(Array.from({ length: 100 }, () => redeem(server, key)))
      expect(statuses.filter(isSuccess)).toHaveLength(1)
      expect(statuses.filter((status) => status >= 500)).toEqual([])
      expect(server.events.filter(({ type }) => type === 'key.redeemed')).toHaveLength(1)
    }),
  )

  test('is redeemed by exactly one of 100 requests that want different things', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      const ways = Object.values(WAYS)
      const statuses = await statusesOf(
        Array.from({ length: 100 }, (_, i) => (ways[i % ways.length] as Redeem)(server, key)),
      )
      expect(statuses.filter(isSuccess)).toHaveLength(1)
      expect(statuses.filter((status) => status >= 500)).toEqual([])
    }))

  test('is never both revoked and redeemed, however the two race', () =>
    withServer(async (server) => {
      for (let round = 0; round < 20; round += 1) {
        const key = await obtainKey(server, { scope: EVERYTHING })
        const revoke = postForm(server, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET)
        const exchange = exchangeKey(server, key)
        const requests = round % 2 === 0 ? [revoke, exchange] : [exchange, revoke]
        const [first, second] = await Promise.all(requests)
        const exchanged = round % 2 === 0 ? second : first
        const keyId = server.events.filter(({ type }) => type === 'key.issued').at(-1) as { keyId?: string }
        const moves = server.events.filter(
          (event) =>
            'keyId' in event &&
            event.keyId === keyId.keyId &&
            ['key.redeemed', 'key.revoked'].includes(event.type),
        )
        expect(moves).toHaveLength(1)
        expect(exchanged?.status).toBe(moves[0]?.type === 'key.redeemed' ? 200 : 400)
      }
    }))

  test('that is presented again ends what its redemption brought forth, and says so loudly', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      const { body } = await exchangeKey(server, key).expect(200)
      expect((await introspect(server, body.access_token)).body.active).toBe(true)
      await exchangeKey(server, key).expect(400)
      expect((await introspect(server, body.access_token)).body).toEqual({ active: false })
      expect(server.events).toContainEqual(
        expect.objectContaining({
          type: 'key.replayed',
          severity: 'high',
          familyRevoked: true,
          clientId: CLIENT,
        }),
      )
    }))

  test('that a forger presents ends nothing', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      const { body } = await exchangeKey(server, key).expect(200)
      const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
      await exchangeKey(server, forgeKey(key, { sign: signWith(stranger, 'ES256') })).expect(400)
      expect((await introspect(server, body.access_token)).body.active).toBe(true)
      expect(server.events.filter(({ type }) => type === 'key.replayed')).toEqual([])
    }))

  test('is spent by no request that fails', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: EVERYTHING })
      await exchangeKey(server, key, { scope: 'admin' }).expect(400)
      await exchangeKey(server, key, { resource: 'https://evil.example.com' }).expect(400)
      await authorized(server, '/oauth/register', key)
        .send({ jwks_uri: 'https://evil.example.com' })
        .expect(400)
      await authorized(server, '/oauth/register', key).type('json').send('{').expect(400)
      await authorized(server, '/oauth/bind', key).send({}).expect(400)
      await exchangeKey(server, key, { client_id: 'bystander' }).expect(400)
      await exchangeKey(server, key).expect(200)
    }))

  test('that registers leaves no client behind when it is revoked in the middle', async () => {
    const { memoryStore } = await import('../../lib/index.js')
    const memory = memoryStore()
    const store = {
      ...memory,
      settle: async (...args: Parameters<typeof memory.settle>) => {
        await memory.revoke(args[0])
        return memory.settle(...args)
      },
    }
    const server = await startServer({ options: { store } })
    try {
      const form = { scope: EVERYTHING, requested_subject: 'device:7' }
      const key = await obtainKey(server, form)
      await authorized(server, '/oauth/register', key).send({}).expect(401)
      expect(server.events.filter(({ type }) => type === 'client.registered')).toEqual([])
      // The identity is free: the next key fails at the same place, and not because it is taken.
      await authorized(server, '/oauth/register', await obtainKey(server, form))
        .send({})
        .expect(401)
    } finally {
      await server.close()
    }
  })
})
