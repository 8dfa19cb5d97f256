import { redisStore } from '../../lib/stores/redis/redis.js'
import { act, readApi, startAdministration } from '../support/administration.js'
import { refOf } from '../support/redeeming.js'
import { PATIENCE_SECONDS } from '../support/redis/bench'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { exchangeKey, obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer } from '../support/server.js'

let redis: RedisServer
const clients: ConnectedClient[] = []
const servers: RunningServer[] = []

beforeAll(async () => {
  redis = await startRedis()
  for (const name of ['ioredis', 'node-redis'] as const) {
    const client = await CLIENTS[name](redis)
    clients.push(client)
    const store = redisStore({ sendCommand: client.sendCommand, timeoutSeconds: PATIENCE_SECONDS })
    servers.push(await startAdministration({ options: { store, monitoring: {} } }))
  }
})

afterAll(async () => {
  for (const { close } of [...servers, ...clients, redis]) await close()
})

/** The process where the operator acts, and another one. */
const both = () => servers as [RunningServer, RunningServer]

const use = (server: RunningServer, key: string) =>
  send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)

const nameOf = (key: string) => {
  const { clientId, jti } = refOf(key)
  return { clientId, keyId: jti }
}

describe('two processes that share a Redis server', () => {
  it('refuse the key that an operator revokes at one of them', async () => {
    const [here, there] = both()
    const key = await obtainKey(there, { scope: 'devices:read' })
    expect((await use(there, key)).status).toBe(200)
    expect((await act(here, 'keys/revoke', nameOf(key))).body).toEqual({ outcome: 'revoked' })
    expect((await use(there, key)).status).toBe(401)
  })

  it('refuse the client that an operator locks at one of them, until it is unlocked at the other', async () => {
    const [here, there] = both()
    const key = await obtainKey(there, { scope: 'devices:read' })
    await act(here, 'clients/lock', { clientId: CLIENT, reason: 'stolen' })
    expect((await use(there, key)).status).toBe(401)
    expect((await act(there, 'clients/unlock', { clientId: CLIENT })).body).toEqual({ outcome: 'unlocked' })
    expect((await use(here, key)).status).toBe(200)
  })

  it('show the same keys, clients and findings', async () => {
    const [here, there] = both()
    const key = await obtainKey(here, { scope: 'provision:token devices:read' })
    await exchangeKey(here, key)
    await exchangeKey(here, key)
    for (let tries = 0; tries < 200 && (await there.keys.findings()).length === 0; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
    for (const path of ['keys', 'clients', 'findings', 'locks', `key?${new URLSearchParams(nameOf(key))}`]) {
      const [mine, other] = [await readApi(here, path), await readApi(there, path)]
      // Each process has its own events.
      expect([path, { ...other.body, events: [] }]).toEqual([path, { ...mine.body, events: [] }])
    }
    expect((await readApi(there, 'findings')).body.items).toHaveLength(1)
  })
})

describe('a process whose Redis server does not answer', () => {
  it('says so in its overview, and refuses the rest with 503', async () => {
    const stopped = await startRedis()
    const client = await CLIENTS.ioredis(stopped)
    const store = redisStore({ sendCommand: client.sendCommand, timeoutSeconds: 0.2 })
    const server = await startAdministration({ options: { store } })
    try {
      stopped.signal('SIGSTOP')
      const { status, body } = await readApi(server, 'overview')
      expect([status, body.health.status, body.health.store.isReachable]).toEqual([200, 'unavailable', false])
      expect(body.keys).toBeUndefined()
      const keys = await readApi(server, 'keys')
      expect([keys.status, keys.body.detail]).toEqual([
        503,
        'The store failed or did not answer. Try again later.',
      ])
      expect((await act(server, 'clients/lock', { clientId: CLIENT, reason: 'stolen' })).status).toBe(503)
      const outcomes = server.events.flatMap((event) =>
        event.type === 'administration.acted' ? [event.outcome] : [],
      )
      expect(outcomes).toEqual(['failed'])
    } finally {
      stopped.signal('SIGCONT')
      await server.close()
      await client.close()
      await stopped.close()
    }
  })
})
