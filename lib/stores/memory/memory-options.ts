import { isClusterWorker } from '../../base/cluster.js'
import { newFaults } from '../../base/faults.js'
import { clock, flag, object, whole } from '../../base/schema.js'

/**
 * Options of `memoryStore()`.
 *
 * @example
 * const options: MemoryStoreOptions = { maxKeys: 10_000, maxOutcomeCharacters: 0 }
 */
export interface MemoryStoreOptions {
  /**
   * The most keys, the most used identifiers, the most revoked identities and the most locks at a time. A full store
   * refuses new ones and evicts nothing. It is also the most last uses of clients: there the longest unused client makes
   * room. Default 100,000.
   * @example 10_000
   */
  readonly maxKeys?: number
  /**
   * The most characters of all outcomes together. The store keeps an outcome, so that a client can repeat its request.
   * If there is no room, the key is redeemed without it. Default 67,108,864; 0 keeps none.
   * @example 0
   */
  readonly maxOutcomeCharacters?: number
  /**
   * The most used proofs of one key that are remembered. One more is refused with 429. Default 1,000, or a hundredth of
   * `maxKeys` if that is less, but at least 5.
   * @example 50
   */
  readonly maxProofsPerKey?: number
  /**
   * The most used proofs and assertions of one client that are remembered, and again the most proofs of all its keys.
   * One more is refused with 429. Default 10,000, or a tenth of `maxKeys` if that is less, but at least 10. So no
   * client can fill the store alone.
   * @example 500
   */
  readonly maxProofsPerClient?: number
  /**
   * The clock, in milliseconds since the epoch. Default `Date.now`.
   * @example () => performance.timeOrigin + performance.now()
   */
  readonly now?: () => number
  /**
   * Allows the store in a worker of `node:cluster` (the cluster mode of PM2 too): set it if there is only one worker.
   * Default `false`: a worker refuses a store in memory.
   * @example true
   */
  readonly singleProcess?: boolean
}

/**
 * Why this process refuses a store in memory without `singleProcess`; `undefined` if it does not. A worker cannot know
 * how many other workers there are.
 */
export function faultOfMemory(): { readonly expected: string; readonly got: string } | undefined {
  return isClusterWorker() ? MEMORY_OF_A_WORKER : undefined
}

const MEMORY_OF_A_WORKER = Object.freeze({
  expected:
    'a store that all processes share, such as redisStore() of express-provisioning-keys/redis, or ' +
    'memoryStore({ singleProcess: true }) if there is only one worker',
  got:
    'memoryStore() in a worker of node:cluster: the other workers would not know the keys of this one, and each ' +
    'worker would accept the same proof once',
})

const readMembers = object<MemoryStoreOptions>({
  maxKeys: whole(1),
  maxOutcomeCharacters: whole(0),
  maxProofsPerKey: whole(1),
  maxProofsPerClient: whole(1),
  now: clock,
  singleProcess: flag,
})

/** @throws ConfigurationError with all faults of the options */
export function readMemoryOptions(
  given: MemoryStoreOptions,
): MemoryStoreOptions & Required<Pick<MemoryStoreOptions, 'maxKeys' | 'maxOutcomeCharacters' | 'now'>> {
  const faults = newFaults()
  const options = readMembers(given, '', faults)
  const fault = faultOfMemory()
  if (fault !== undefined && options.singleProcess !== true) faults.add('store', fault.expected, fault.got)
  faults.throwIfAny()
  return { maxKeys: 100_000, maxOutcomeCharacters: 2 ** 26, now: () => Date.now(), ...options }
}
