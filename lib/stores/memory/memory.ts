import cluster from 'node:cluster'
import { ConfigurationError } from '../../base/errors.js'
import type { Holding, ProvisioningStore } from '../../ports/store.js'
import { onceSet, sharedLimits } from './memory-once.js'
import { type Outcomes, outcomesOf } from './memory-outcomes.js'
import { type Claim, copyOf, entryOf, type Kept, move, type Shelf, shelfOf } from './memory-shelf.js'
import { watermarksOf } from './memory-watermarks.js'

/** Options of `memoryStore()`. */
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

/**
 * A store that lives in this process only, and is forgotten with it: for one process, and for tests.
 *
 * An entry is found up to and including the second `retainUntil`, and is unknown to every verb after it.
 *
 * @throws RangeError when `maxOutcomeCharacters` or a limit is no such number; TypeError when `now` is not a function;
 *   ConfigurationError in a worker of `node:cluster`, unless `singleProcess` is true
 */
export function memoryStore(options: MemoryStoreOptions = {}): ProvisioningStore {
  const { maxKeys = 100_000, maxOutcomeCharacters = 2 ** 26, now = () => Date.now() } = options
  for (const name of LIMITS) requireLimit(name, options[name])
  if (!Number.isSafeInteger(maxOutcomeCharacters) || maxOutcomeCharacters < 0) {
    const got = String(maxOutcomeCharacters)
    throw new RangeError(`maxOutcomeCharacters: expected an integer from 0 on, got ${got}`)
  }
  if (typeof now !== 'function') throw new TypeError(`now: expected a function, got ${typeof now}`)
  const fault = faultOfMemory()
  if (fault !== undefined && options.singleProcess !== true)
    throw new ConfigurationError([`store: expected ${fault.expected}, got ${fault.got}`])
  const outcomes = outcomesOf(maxOutcomeCharacters, now)
  const shelf = shelfOf(now, watermarksOf(maxKeys), outcomes.sweep)
  const once = onceSet(sharedLimits(maxKeys, options), now)

  // No verb awaits anything, so none is interrupted between its read and its write: that makes it atomic.
  return Object.freeze<ProvisioningStore>({
    async record(key, limits) {
      requireFuture(key.retainUntil, now() / 1000)
      if (shelf.at(key) !== undefined) return 'duplicate'
      if (shelf.isRevoked(key)) return 'revoked'
      if (!shelf.hasPlace(key.clientId, limits.outstanding)) return 'outstanding'
      if (shelf.size() >= maxKeys) return 'full'
      shelf.add(copyOf(key))
      return 'recorded'
    },
    async find(ref) {
      const kept = shelf.at(ref)
      return kept && entryOf(kept)
    },
    ...claimVerbs(shelf, now),
    ...outcomeVerbs(shelf, outcomes, now),
    ...revocationVerbs(shelf, outcomes, now),
    async revokeIssuedBefore(bound) {
      requireFuture(bound.retainUntil, now() / 1000)
      requireFinite(bound.issuedBefore, 'issuedBefore')
      return shelf.revokeIssuedBefore(bound)
    },
    useOnce: async (id, until, owner) => once(id, until, owner),
  })
}

const LIMITS = ['maxKeys', 'maxProofsPerKey', 'maxProofsPerClient'] as const

function requireLimit(name: (typeof LIMITS)[number], limit: number | undefined): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 1)) return
  throw new RangeError(`${name}: expected a positive integer, got ${String(limit)}`)
}

function claimVerbs(shelf: Shelf, now: () => number): Pick<ProvisioningStore, 'redeem' | 'release'> {
  return {
    async redeem(ref, attempt, holding) {
      const seconds = now() / 1000
      const claim = claimBy(attempt, holding, seconds)
      const kept = shelf.at(ref)
      if (kept === undefined) return 'unknown'
      const earlier = kept.claim
      if (kept.state === 'redeeming' && earlier && mayResume(earlier, claim, seconds)) {
        const resumed = { ...claim, redemption: earlier.redemption, isTakenOver: true }
        move(kept, 'redeeming', { at: seconds, claim: resumed })
        return 'resumed'
      }
      if (kept.state !== 'issued') return kept.state
      move(kept, 'redeeming', { at: seconds, claim })
      return 'claimed'
    },
    async release(ref, attempt, hasActed = false) {
      const claimed = claimOf(shelf.at(ref), attempt)
      if (typeof claimed === 'string') return claimed
      const { claim } = claimed
      const isOver = { attempt: undefined, isTakenOver: true, leaseUntil: Number.NEGATIVE_INFINITY }
      const stays = claim?.isTakenOver || (hasActed && claim?.holder !== undefined)
      const at = now() / 1000
      if (claim && stays) move(claimed, 'redeeming', { at, claim: { ...claim, ...isOver } })
      else move(claimed, 'issued', { at })
      return 'released'
    },
  }
}

function claimBy(attempt: string, holding: Holding | undefined, seconds: number): Claim {
  const { holder, leaseSeconds = 0 } = holding ?? {}
  if (holding !== undefined && !(leaseSeconds > 0 && Number.isFinite(leaseSeconds)))
    throw new RangeError(`leaseSeconds: expected a number of seconds above 0, got ${String(leaseSeconds)}`)
  const leaseUntil = seconds + leaseSeconds
  return { attempt, redemption: attempt, isTakenOver: false, holder, leaseUntil }
}

function mayResume({ holder, leaseUntil }: Claim, later: Claim, seconds: number): boolean {
  return holder !== undefined && holder === later.holder && seconds >= leaseUntil
}

function outcomeVerbs(
  shelf: Shelf,
  outcomes: Outcomes,
  now: () => number,
): Pick<ProvisioningStore, 'settle' | 'recall'> {
  return {
    async settle(ref, attempt, retainUntil, { outcome, familyClientId } = {}) {
      requireFinite(retainUntil)
      const claimed = claimOf(shelf.at(ref), attempt)
      if (typeof claimed === 'string') return claimed
      move(claimed, 'redeemed', { at: now() / 1000, claim: claimed.claim })
      claimed.familyClientId = familyClientId
      if (outcome !== undefined) outcomes.keep(claimed, outcome, claimed.record.retainUntil)
      shelf.retain(claimed, retainUntil)
      return 'settled'
    },
    async recall(ref, holder) {
      const kept = shelf.at(ref)
      const claim = kept?.claim
      if (kept === undefined || claim === undefined || claim.holder !== holder || kept.familyRevoked)
        return undefined
      const outcome = outcomes.of(kept)
      return { redemption: claim.redemption, ...(outcome !== undefined && { outcome }) }
    },
  }
}

function revocationVerbs(
  shelf: Shelf,
  outcomes: Outcomes,
  now: () => number,
): Pick<ProvisioningStore, 'revoke' | 'revokeFamily'> {
  return {
    async revoke(ref) {
      const kept = shelf.at(ref)
      if (kept === undefined) return 'unknown'
      if (kept.state === 'redeemed') return 'redeemed'
      if (kept.state === 'revoked') return 'unchanged'
      move(kept, 'revoked', { at: now() / 1000 })
      return 'revoked'
    },
    async revokeFamily(ref) {
      const kept = shelf.at(ref)
      if (kept === undefined) return 'unknown'
      if (kept.state !== 'redeemed') return 'not_redeemed'
      outcomes.drop(kept)
      if (kept.familyRevoked) return 'unchanged'
      kept.familyRevoked = true
      return 'revoked'
    },
  }
}

function claimOf(kept: Kept | undefined, attempt: string): Kept | 'unknown' | 'revoked' | 'lost' {
  if (kept === undefined) return 'unknown'
  if (kept.state === 'revoked') return 'revoked'
  return kept.state === 'redeeming' && kept.claim?.attempt === attempt ? kept : 'lost'
}

function requireFuture(retainUntil: number, seconds: number): void {
  requireFinite(retainUntil)
  if (!(retainUntil > seconds))
    throw new RangeError(`retainUntil: expected a time in the future (now ${seconds}), got ${retainUntil}`)
}

function requireFinite(time: number, name = 'retainUntil'): void {
  if (!Number.isFinite(time)) throw new RangeError(`${name}: expected a time in seconds, got ${String(time)}`)
}
