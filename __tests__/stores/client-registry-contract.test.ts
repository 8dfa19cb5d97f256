import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { keyvClientRegistry } from '../../lib/stores/keyv/keyv.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { clientRegistryContract } from '../../lib/testing/testing.js'
import { redisDatabase, registriesOver, sqliteDatabase } from '../support/keyv/databases'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { ALL } from '../support/scale'

const START = Date.now()

/** A fast clock: a lease of ten seconds ends after two. */
const now = () => START + 5 * (Date.now() - START)

clientRegistryContract({
  name: 'the registry in memory',
  create: async () => ({ registry: memoryClientRegistry([]) }),
})

clientRegistryContract({
  name: 'a registry in Keyv 5, in memory, of one process',
  create: async () => ({
    registry: keyvClientRegistry(new Keyv({ throwOnErrors: true }), { lock: 'process' }),
  }),
})

clientRegistryContract({
  name: 'a registry in Keyv 6, in memory, of one process',
  create: async () => ({ registry: keyvClientRegistry(new Keyv6(), { lock: 'process' }) }),
})

// This combines two registries that `npm test` runs: one of one process in memory, and SQLite with a shared store.
if (ALL)
  clientRegistryContract({
    name: 'a registry in SQLite, of one process',
    async create() {
      const database = sqliteDatabase()
      const registry = keyvClientRegistry(await database.connect(), { lock: 'process' })
      return { registry, close: () => database.close() }
    },
  })

clientRegistryContract({
  name: 'registries in SQLite that share a store',
  create: () => registriesOver(sqliteDatabase(), { lock: memoryStore({ now }), now })(),
  createBreakable: () => registriesOver(sqliteDatabase(), { lock: memoryStore({ now }), now })(),
})

describe('Redis', () => {
  let server: RedisServer
  let client: ConnectedClient
  let count = 0
  beforeAll(async () => {
    server = await startRedis()
    client = await CLIENTS['node-redis'](server)
  })
  afterAll(async () => {
    await client?.close()
    await server?.close()
  })

  clientRegistryContract({
    name: 'registries in Redis that share a store in Redis',
    async create() {
      count += 1
      const lock = redisStore({ sendCommand: client.sendCommand, prefix: `lock-${count}:`, now })
      return registriesOver(redisDatabase(server, `clients-${count}`), { lock, now })()
    },
    async createBreakable() {
      const own = await startRedis()
      const made = await registriesOver(redisDatabase(own, 'clients'), { lock: memoryStore() })()
      return {
        ...made,
        async close() {
          await made.close()
          await own.close()
        },
      }
    },
  })
})
