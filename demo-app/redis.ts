import type { ClientRegistry, RateLimitOptions } from 'express-provisioning-keys'
import { type RedisStore, redisStore, type SendCommand } from 'express-provisioning-keys/redis'
import { RedisStore as RedisLimits } from 'rate-limit-redis'
import type { Certificate } from './certificate'
import { type Device, type Devices, newDevice } from './devices'
import { EnvironmentError } from './environment'
import { printableRedis } from './scale'

/** The state that the workers of a demo keep in Redis. */
export interface SharedState {
  readonly store: RedisStore
  readonly limits: NonNullable<RateLimitOptions['store']>
  readonly clients: ClientRegistry
  readonly devices: Devices
}

/** Everything that the workers of a demo share. */
export interface Shared {
  readonly certificate: Certificate
  readonly signingKey: string
  readonly state: SharedState
}

/** A connection to Redis. */
export interface ConnectedRedis {
  readonly send: SendCommand
  /** The state of one demo. Each demo has another `run`. */
  stateOf(run: string): SharedState
  close(): void
}

/** The state of a demo expires in Redis after a day. */
const DAY_SECONDS = '86400'

/**
 * Connects to Redis. After a connection was lost, the client reconnects; commands fail until then.
 *
 * @param onLoss called with the reason when a connection is lost
 * @throws EnvironmentError that says how to start a Redis, if there is none
 */
export async function connectRedis(url: string, onLoss: (reason: string) => void): Promise<ConnectedRedis> {
  // Most demos use no Redis, and to load this package takes a third of their start.
  const { createClient } = await import('redis')
  let wasConnected = false
  const reconnectStrategy = () => (wasConnected ? 200 : false)
  const client = createClient({ url, disableOfflineQueue: true, socket: { reconnectStrategy } })
  let isLost = false
  client.on('error', (error: Error) => {
    if (wasConnected && !isLost) onLoss(error.message)
    isLost = true
  })
  client.on('ready', () => {
    isLost = false
  })
  await client.connect().catch((error) => {
    throw new EnvironmentError(noRedis(url, error.code ?? error.message))
  })
  wasConnected = true
  const send: SendCommand = (command) => client.sendCommand(command)
  return { send, stateOf: (run) => stateOf(send, `epk-demo:${run}:`), close: () => client.destroy() }
}

function noRedis(url: string, reason: string): string {
  return [
    `cannot connect to Redis at ${printableRedis(url)} (${reason}). Several workers need a shared store. Without one, a`,
    'worker would not know the keys of the others, and a proof could be used once at each of them. Start a Redis:',
    "  apt-get update && apt-get install -y redis-server && redis-server --save '' --appendonly no",
    'or use your own: DEMO_REDIS=redis://HOST:PORT npm run demo -- --workers 4',
  ].join('\n')
}

function stateOf(send: SendCommand, prefix: string): SharedState {
  return {
    // The primary process already prints the advice about Redis once.
    store: redisStore({ sendCommand: send, prefix, advise: () => undefined }),
    limits: (name) =>
      new RedisLimits({
        prefix: `${prefix}limit:${name}:`,
        sendCommand: (command: string, ...args) => send([command, ...args]) as Promise<number>,
      }),
    clients: clientsIn(send, `${prefix}client:`),
    devices: devicesIn(send, `${prefix}devices:`),
  }
}

/** Redis runs each script atomically. So no other process can write between the comparison of the revision and the write. */
const SAVE = `if tonumber(ARGV[1]) ~= tonumber(redis.call('HGET', KEYS[1], 'revision') or 0) + 1 then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'client', ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[3])`
const DELETE = `if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

function clientsIn(send: SendCommand, prefix: string): ClientRegistry {
  return {
    async find(clientId) {
      const found = await send(['HGET', `${prefix}${clientId}`, 'client'])
      return typeof found === 'string' ? JSON.parse(found) : undefined
    },
    async save(client) {
      const { clientId, revision } = client
      const operands = [`${prefix}${clientId}`, String(revision), JSON.stringify(client), DAY_SECONDS]
      return (await send(['EVAL', SAVE, '1', ...operands])) === 1
    },
    async delete(clientId, revision) {
      return (await send(['EVAL', DELETE, '1', `${prefix}${clientId}`, String(revision ?? '')])) === 1
    },
  }
}

function devicesIn(send: SendCommand, prefix: string): Devices {
  return {
    async create(owner, name) {
      const device = newDevice(owner, name)
      await send(['RPUSH', `${prefix}${owner}`, JSON.stringify(device)])
      await send(['EXPIRE', `${prefix}${owner}`, DAY_SECONDS])
      return device
    },
    async ownedBy(owner) {
      const texts = (await send(['LRANGE', `${prefix}${owner}`, '0', '-1'])) as string[]
      return texts.map((text) => JSON.parse(text) as Device)
    },
  }
}
