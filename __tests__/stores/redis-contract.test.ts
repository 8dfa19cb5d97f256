import { type RedisStoreOptions, redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import { storeContract } from '../../lib/testing/store-contract.js'
import { PATIENCE_SECONDS } from '../support/redis/bench'
import { CLIENTS, CLUSTER_CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisCluster, type RedisServer, startCluster, startRedis } from '../support/redis/servers'

const START = 1_700_000_000

const LIMITS = { maxProofsPerClient: 5, maxProofsPerKey: 3 }

let count = 0

/** A store under names of its own, in a Redis that other tests use as well. */
function underTest(sendCommand: SendCommand, limits: Partial<RedisStoreOptions> = {}) {
  const clock = { seconds: START }
  count += 1
  const now = () => clock.seconds * 1000
  const prefix = `${count}:`
  const store = redisStore({ sendCommand, prefix, now, timeoutSeconds: PATIENCE_SECONDS, ...limits })
  return {
    store,
    nowSeconds: () => clock.seconds,
    async advance(by: number) {
      clock.seconds += by
    },
  }
}

describe('one Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server?.close())

  for (const [name, connect] of Object.entries(CLIENTS)) {
    describe(`by ${name}`, () => {
      let client: ConnectedClient
      beforeAll(async () => {
        client = await connect(server)
      })
      afterAll(() => client?.close())
      storeContract({
        name: 'redisStore',
        create: async () => underTest(client.sendCommand),
        createLimited: async () => underTest(client.sendCommand, LIMITS),
      })
    })
  }
})

describe('a Redis Cluster of three primaries', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster?.close())

  for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
    describe(`by ${name}`, () => {
      let client: ConnectedClient
      beforeAll(async () => {
        client = await connect(cluster.servers)
      })
      afterAll(() => client?.close())
      storeContract({
        name: 'redisStore',
        create: async () => underTest(client.sendCommand),
        createLimited: async () => underTest(client.sendCommand, LIMITS),
      })
    })
  }
})
