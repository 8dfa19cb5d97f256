import { memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { redisStore } from '../../../lib/stores/redis/redis.js'
import { AUDIENCE, type RunningServer, startServer } from '../server.js'
import { PATIENCE_SECONDS } from './bench'
import { CLIENTS, type ConnectedClient } from './clients'
import { limitsIn } from './limits'
import type { RedisServer } from './servers'

/** The options of an instance over Redis. */
export interface InstancePlan {
  readonly rateLimit?: Exclude<ProvisioningOptions['rateLimit'], false>
  readonly timeoutSeconds?: number
  /** Each instance has its own keys, so that they share only the limits. */
  readonly keysInMemory?: boolean
  readonly options?: Partial<ProvisioningOptions>
}

/** Instances of one deployment behind a local proxy. Each is an app with its own client of Redis. */
export async function withInstances(
  redis: RedisServer,
  { rateLimit, timeoutSeconds = PATIENCE_SECONDS, keysInMemory = false, options }: InstancePlan,
  test: (one: RunningServer, other: RunningServer) => Promise<void>,
): Promise<void> {
  const clients: ConnectedClient[] = []
  const servers: RunningServer[] = []
  try {
    for (const connect of [CLIENTS['node-redis'], CLIENTS.ioredis]) {
      const client = await connect(redis)
      clients.push(client)
      const { sendCommand } = client
      const store = keysInMemory ? memoryStore() : redisStore({ sendCommand, timeoutSeconds })
      const shared = { ...rateLimit, store: limitsIn(sendCommand), timeoutSeconds }
      const limits = rateLimit === undefined ? {} : { rateLimit: shared }
      servers.push(await startServer({ options: { store, ...limits, ...options }, mount }))
    }
    await test(...(servers as [RunningServer, RunningServer]))
  } finally {
    for (const { close } of [...servers, ...clients]) await close()
  }
}

function mount(app: RunningServer['app'], keys: RunningServer['keys']): void {
  app.set('trust proxy', 'loopback')
  app.get('/ready', keys.readiness())
  app.use(keys.router())
  const redeem = keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE })
  app.post('/devices', redeem, (_req, res) => void res.sendStatus(201))
}

/** The headers that a proxy adds to a request from an address. */
export const from = (address: string) => ({ 'X-Forwarded-For': address, 'X-Forwarded-Proto': 'https' })
