import { aFunction, list, object, oneOf, parse, required, seconds, text, whole } from '../../base/schema.js'

/**
 * Sends one command to Redis, and answers or rejects with what Redis says. `key` is the name by which a cluster client
 * finds the node; without it any primary will do. Must never ask a replica, and need not try again by itself.
 *
 * @example
 * import { Redis } from 'ioredis'
 *
 * const client = new Redis()
 * const sendCommand: SendCommand = ([name, ...args]) => client.call(name, ...args)
 */
export type SendCommand = (command: [name: string, ...args: string[]], key?: string) => Promise<unknown>

/**
 * What a Redis may be set to do that is bad for keys.
 *
 * - `persistence`: it saves to disk, and can come back with keys as they were before they were redeemed
 * - `eviction`: it may forget what it holds before its time, used proofs among it
 * - `unchecked`: it does not tell how it is set
 *
 * @example
 * const accept: readonly RedisHazard[] = ['unchecked']
 */
export type RedisHazard = 'persistence' | 'eviction' | 'unchecked'

/**
 * Options of `redisStore()`.
 *
 * @example
 * const shared: Omit<RedisStoreOptions, 'sendCommand'> = { prefix: 'staging:', minReplicas: 1 }
 */
export interface RedisStoreOptions {
  /** How a command reaches Redis: one line for each client library, see docs/redis.md. */
  readonly sendCommand: SendCommand
  /** What the names of all Redis keys begin with: one for each deployment that shares a Redis. Default `epk:`. */
  readonly prefix?: string
  /** How long an answer is waited for, in seconds; then the verb rejects, and the request gets 503. Default 2. */
  readonly timeoutSeconds?: number
  /** How many commands may be unanswered at once; more reject at once. Default 10,000. */
  readonly maxPending?: number
  /**
   * How many replicas must have a claim, a redemption, a revocation or a used proof before it counts (`WAIT`). Default
   * 0: a failover can lose the last moment, and keys redeemed in it could be redeemed again.
   */
  readonly minReplicas?: number
  /**
   * The longest that an entry may be kept, in seconds; watermarks are kept for as long. Default 14,400: policy allows
   * no key and access token that live longer.
   */
  readonly maxRetentionSeconds?: number
  /** How many used proofs of one key are remembered; one more is refused with 429. Default 1,000. */
  readonly maxProofsPerKey?: number
  /**
   * How many used proofs and assertions of one client are remembered, and again how many proofs of all its keys; one more
   * is refused with 429. Default 100,000.
   */
  readonly maxProofsPerClient?: number
  /** Hazards of this Redis that are known and wanted: they are not reported. Default none. */
  readonly accept?: readonly RedisHazard[]
  /** Is told, once, of each hazard. Default: a process warning of code `EPK_REDIS`. */
  readonly advise?: (advice: string) => void
  /** The clock, in milliseconds since the epoch: the one that `provisioningKeys()` has. Default `Date.now`. */
  readonly now?: () => number
}

export type RedisOptions = Required<RedisStoreOptions>

/** Which versions are spoken to; Valkey counts as the Redis that it names itself after. */
export const OLDEST_REDIS = '6.2'

const HAZARDS: readonly RedisHazard[] = ['persistence', 'eviction', 'unchecked']

const DEFAULTS = {
  prefix: 'epk:',
  timeoutSeconds: 2,
  maxPending: 10_000,
  minReplicas: 0,
  maxRetentionSeconds: 14_400,
  maxProofsPerKey: 1_000,
  maxProofsPerClient: 100_000,
  accept: [],
  advise: (advice: string) =>
    process.emitWarning(advice, { type: 'ProvisioningKeysWarning', code: 'EPK_REDIS' }),
  now: () => Date.now(),
} satisfies Omit<RedisOptions, 'sendCommand'>

const readMembers = object<RedisStoreOptions>({
  sendCommand: required(aFunction()),
  prefix: text('at most 64 visible ASCII characters without braces', /^[!-z|~]{0,64}$/),
  timeoutSeconds: seconds(0.01, 60),
  maxPending: whole(64, 1_000_000),
  minReplicas: whole(0, 10),
  maxRetentionSeconds: seconds(60, 31_536_000),
  maxProofsPerKey: whole(1, 100_000_000),
  maxProofsPerClient: whole(1, 100_000_000),
  accept: list(`a list of ${HAZARDS.join(', ')}`, oneOf(HAZARDS)),
  advise: aFunction(),
  now: aFunction(),
})

/** @throws ConfigurationError with every fault of the options at once */
export function readRedisOptions(given: RedisStoreOptions): RedisOptions {
  return Object.freeze({ ...DEFAULTS, ...parse(readMembers, given ?? {}, '') })
}
