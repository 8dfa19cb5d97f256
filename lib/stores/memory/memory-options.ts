import cluster from 'node:cluster'
import { faults } from '../../base/faults.js'
import { aFunction, flag, object, whole } from '../../base/schema.js'

/**
 * Options of `memoryStore()`.
 *
 * @example
 * const options: MemoryStoreOptions = { maxKeys: 10_000, maxOutcomeCharacters: 0 }
 */
export interface MemoryStoreOptions {
  /** How many keys, used identifiers and revoked identities are kept at once. At the cap new ones are refused; nothing is evicted. Default 100,000. */
  readonly maxKeys?: number
  /**
   * How many characters all outcomes that are kept for safe retries may have together. At the cap a redemption is kept
   * without its outcome. Default 67,108,864; 0 for none.
   */
  readonly maxOutcomeCharacters?: number
  /**
   * How many used proofs of one key are remembered; one more is refused with 429. Default 1,000. At most a hundredth of
   * `maxKeys`, but 5 in the smallest store.
   */
  readonly maxProofsPerKey?: number
  /**
   * How many used proofs and assertions of one client are remembered, and again how many proofs of all its keys; one more
   * is refused with 429. Default 10,000. At most a tenth of `maxKeys`, but 10 in the smallest store, so that no client
   * fills the store alone.
   */
  readonly maxProofsPerClient?: number
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
  /**
   * Says that there is one process only, though it is a worker of `node:cluster`, which also PM2 makes in its cluster
   * mode. Without it a store in memory is refused there. Default false.
   */
  readonly singleProcess?: boolean
}

/**
 * Why there can be no store in memory here, unless there is one process only; `undefined` where there can. A worker
 * cannot know how many others there are.
 */
export function faultOfMemory(): { readonly expected: string; readonly got: string } | undefined {
  return cluster.isWorker ? MEMORY_OF_A_WORKER : undefined
}

const MEMORY_OF_A_WORKER = Object.freeze({
  expected:
    'a store that all processes share, such as redisStore() of express-provisioning-keys/redis, or ' +
    'memoryStore({ singleProcess: true }) where there is only ever one worker',
  got:
    'memoryStore() in a worker of node:cluster: the others would know no key that this one has issued, and each would ' +
    'accept the same proof once',
})

const readMembers = object<MemoryStoreOptions>({
  maxKeys: whole(1),
  maxOutcomeCharacters: whole(0),
  maxProofsPerKey: whole(1),
  maxProofsPerClient: whole(1),
  now: aFunction(),
  singleProcess: flag,
})

/** @throws ConfigurationError with every fault of the options at once */
export function readMemoryOptions(
  given: MemoryStoreOptions,
): MemoryStoreOptions & Required<Pick<MemoryStoreOptions, 'maxKeys' | 'maxOutcomeCharacters' | 'now'>> {
  const noted = faults()
  const options = readMembers(given, '', noted)
  const fault = faultOfMemory()
  if (fault !== undefined && options.singleProcess !== true) noted.add('store', fault.expected, fault.got)
  noted.throwIfAny()
  return { maxKeys: 100_000, maxOutcomeCharacters: 2 ** 26, now: () => Date.now(), ...options }
}
