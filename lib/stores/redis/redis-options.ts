import {
  aFunction,
  clock,
  list,
  object,
  oneOf,
  parse,
  required,
  seconds,
  text,
  whole,
} from '../../base/schema.js'

/**
 * Sends one command to Redis. Resolves with the reply of Redis, and rejects with its error. A cluster client finds the
 * node by `key`; without `key`, any primary will do. It must never ask a replica. It need not repeat a failed command.
 *
 * @example
 * import { Redis } from 'ioredis'
 *
 * const client = new Redis()
 * const sendCommand: SendCommand = ([name, ...args]) => client.call(name, ...args)
 */
export type SendCommand = (command: [name: string, ...args: string[]], key?: string) => Promise<unknown>

/**
 * A setting of Redis that is a risk for keys.
 *
 * - `persistence`: Redis saves to disk. After a restart, redeemed keys can be unredeemed again
 * - `eviction`: Redis may delete data too early, such as used proofs
 * - `unchecked`: Redis does not show its settings
 *
 * @example
 * const accept: readonly RedisHazard[] = ['unchecked']
 */
export type RedisHazard = 'persistence' | 'eviction' | 'unchecked'

/** The member of a store with the hazards that it accepts. */
export const ACCEPTED_HAZARDS = Symbol.for('express-provisioning-keys.acceptedHazards')

/**
 * Options of `redisStore()`.
 *
 * @example
 * const shared: Omit<RedisStoreOptions, 'sendCommand'> = { prefix: 'staging:', minReplicas: 1 }
 */
export interface RedisStoreOptions {
  /**
   * Sends a command to Redis: one line for each client library, see docs/operations/redis.md.
   * @example (command) => redis.sendCommand(command)
   */
  readonly sendCommand: SendCommand
  /**
   * The start of the names of all Redis keys. Give each deployment that shares a Redis its own. Default `epk:`.
   * @example 'staging:'
   */
  readonly prefix?: string
  /**
   * How long to wait for an answer, in seconds. After that the verb rejects, and the request gets 503. Default 2.
   * @example 0.5
   */
  readonly timeoutSeconds?: number
  /**
   * The most unanswered commands. One more rejects immediately. Default 10,000.
   * @example 1_000
   */
  readonly maxPending?: number
  /**
   * How many replicas must have a reservation, a redemption, a revocation or a used proof before it counts (`WAIT`).
   * Default 0: a failover can lose the last writes, and keys that were redeemed just before could be redeemed again.
   * @example 1
   */
  readonly minReplicas?: number
  /**
   * The longest time that an entry may be kept, in seconds, at least 3,720. A revocation by `revokeIssuedBefore` is kept
   * for as long. Default 14,400: no policy allows a key and an access token that live longer.
   * @example 7_200
   */
  readonly maxRetentionSeconds?: number
  /**
   * The most used proofs of one key that are remembered. One more is refused with 429. Default 1,000.
   * @example 200
   */
  readonly maxProofsPerKey?: number
  /**
   * The most used proofs and assertions of one client that are remembered, and again the most proofs of all its keys.
   * One more is refused with 429. Default 100,000.
   * @example 20_000
   */
  readonly maxProofsPerClient?: number
  /**
   * The hazards of this Redis that you accept. They are not reported. Default: none.
   * @example ['unchecked']
   */
  readonly accept?: readonly RedisHazard[]
  /**
   * Receives one text for each hazard, and for each restart of Redis. Default: a process warning with the code `EPK_REDIS`.
   * @example (advice) => console.warn(advice)
   */
  readonly advise?: (advice: string) => void
  /**
   * The clock, in milliseconds since the epoch. Give the clock of `provisioningKeys()`. Default `Date.now`.
   * @example () => performance.timeOrigin + performance.now()
   */
  readonly now?: () => number
}

export type RedisOptions = Required<RedisStoreOptions>

/** The oldest supported version. Valkey counts as the Redis version that it reports. */
export const OLDEST_REDIS = '6.2'

const HAZARDS: readonly RedisHazard[] = ['persistence', 'eviction', 'unchecked']

/** A key or an access token lives for an hour at most, and is kept for a minute more. Then no settlement can fail. */
const LEAST_RETENTION_SECONDS = 3_720

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
  sendCommand: required(
    aFunction('a function that sends a command, such as (command) => client.sendCommand(command)'),
  ),
  prefix: text('at most 64 visible ASCII characters without braces', /^[!-z|~]{0,64}$/),
  timeoutSeconds: seconds(0.01, 60),
  maxPending: whole(64, 1_000_000),
  minReplicas: whole(0, 10),
  maxRetentionSeconds: seconds(LEAST_RETENTION_SECONDS, 31_536_000),
  maxProofsPerKey: whole(1, 100_000_000),
  maxProofsPerClient: whole(1, 100_000_000),
  accept: list(`a list of ${HAZARDS.join(', ')}`, oneOf(HAZARDS)),
  advise: aFunction(),
  now: clock,
})

/** @throws ConfigurationError with all faults of the options */
export function readRedisOptions(given: RedisStoreOptions): RedisOptions {
  return Object.freeze({ ...DEFAULTS, ...parse(readMembers, given ?? {}, '') })
}
