import { type RedisStoreOptions, redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import { storeContract } from '../../lib/testing/store-contract.js'
import { PATIENCE_SECONDS } from '../support/redis/bench'
import { CLIENTS, CLUSTER_CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { everyVerb, SUCCESS } from '../support/redis/every-verb'
import { type RedisCluster, type RedisServer, startCluster, startRedis } from '../support/redis/servers'
import { ALL } from '../support/scale.js'

const START = 1_700_000_000

const LIMITS = { maxProofsPerClient: 5, maxProofsPerKey: 3 }

let count = 0

/** A store with its own prefix in a shared Redis. */
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

/** The contract by the first library, and every verb by the others: the scripts decide, a library only sends them. */
function suite(name: string, connect: () => Promise<ConnectedClient>, isFirst: boolean): void {
  describe(`by ${name}`, () => {
    let client: ConnectedClient
    beforeAll(async () => {
      client = await connect()
    })
    afterAll(() => client?.close())

    it('answers every verb', async () => {
      const { sendCommand } = client
      const store = redisStore({
        sendCommand,
        prefix: `${name.replace(' ', '-')}:`,
        timeoutSeconds: PATIENCE_SECONDS,
      })
      expect(await everyVerb(store)).toEqual(SUCCESS)
    })

    if (ALL || isFirst)
      storeContract({
        name: 'redisStore',
        create: async () => underTest(client.sendCommand),
        createLimited: async () => underTest(client.sendCommand, LIMITS),
      })
  })
}

describe('one Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server?.close())

  Object.entries(CLIENTS).forEach(([name, connect], index) => {
    suite(name, () => connect(server), index === 0)
  })
})

describe('a Redis Cluster of three primaries', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster?.close())

  for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
    suite(name, () => connect(cluster.servers), false)
  }
})
