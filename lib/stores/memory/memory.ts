import type { KeyRecord, Lease, ProvisioningStore } from '../../ports/store.js'
import { isBound, requireFuture, requireLease, requireTime } from '../verb-arguments.js'
import { UseTable } from './client-uses.js'
import { KeyTable } from './key-table.js'
import { listingVerbs } from './listing.js'
import { hasKind, type KeyLocks, LockTable, UNLOCKED } from './locks.js'
import { type MemoryStoreOptions, readMemoryOptions } from './memory-options.js'
import { type MonitoringTables, monitoringVerbs } from './monitoring.js'
import { NotBeforeTable } from './not-before.js'
import { entryOf, type Reservation, type StoredKey } from './stored-key.js'
import { type Slice, Sweep, WAIT } from './sweep.js'
import { halfOf, sharedLimits, UsedIdentifiers, useOnceVerb } from './used-identifiers.js'

/**
 * A store in the memory of this process. It is for a deployment of one process, and for tests.
 *
 * An entry is found up to and including the second `retainUntil`, and is unknown to every verb after it.
 *
 * @example
 * const store = memoryStore({ maxKeys: 10_000 })
 *
 * @throws ConfigurationError with all faults of the options, and in a worker of `node:cluster` unless `singleProcess`
 *   is true
 */
export function memoryStore(options: MemoryStoreOptions = {}): ProvisioningStore {
  return storeInMemory(options)
}

/** @param slice how many expired entries are removed at a time */
export function storeInMemory(options: MemoryStoreOptions, slice?: Slice): ProvisioningStore {
  const { maxKeys, maxOutcomeCharacters, now } = readMemoryOptions(options)
  const sweep = new Sweep(now, slice)
  const notBefore = new NotBeforeTable(sweep, maxKeys)
  const limits = { maxKeysPerRegistrar: halfOf(maxKeys), maxOutcomeCharacters }
  const keys = new KeyTable(sweep, notBefore, limits)
  const identifiers = new UsedIdentifiers(sweep, sharedLimits(maxKeys, options))
  const locks = new LockTable(sweep, maxKeys)
  const uses = new UseTable(sweep, maxKeys)
  const tables: Tables = { keys, maxKeys, sweep, locks, uses }

  // Each verb is atomic because it awaits nothing between its read and its write.
  const store: ProvisioningStore = {
    ...recordVerbs(tables),
    ...reservationVerbs(tables),
    ...outcomeVerbs(tables),
    ...revocationVerbs(tables),
    ...monitoringVerbs(tables),
    ...listingVerbs(tables),
    useOnce: useOnceVerb(identifiers, sweep, (owner) => keys.withRegistrar(owner)),
  }
  // Not enumerable, so a copy with other verbs does not have it.
  return Object.freeze(Object.defineProperty(store, IN_MEMORY, { value: true }))
}

const IN_MEMORY = Symbol('memoryStore')

/** Whether a store is from `memoryStore()`. It takes longer to check and measure its answers than to get them. */
export function isInMemory(store: ProvisioningStore): boolean {
  return Object.hasOwn(store, IN_MEMORY)
}

/** What the verbs work on. Each verb checks its parameters, calls `sweep.run()` once, and then reads and writes. */
interface Tables extends MonitoringTables {
  readonly maxKeys: number
}

type RecordVerbs = Pick<ProvisioningStore, 'record' | 'find'>

function recordVerbs({ keys, locks, maxKeys, sweep }: Tables): RecordVerbs {
  return {
    record(key, limits) {
      return sweep.decide(() => {
        requireFuture('retainUntil', key.retainUntil, sweep.nowSeconds())
        sweep.run()
        if (keys.get(key) !== undefined) return 'duplicate'
        if (keys.isRevoked(key)) return 'revoked'
        const keyLocks = locks.ofKey(key)
        const refusal = keyLocks === UNLOCKED ? undefined : refusalFor(key, keyLocks)
        if (refusal !== undefined) return refusal
        if (!keys.hasPlace(key, limits, keyLocks)) return sweep.refusal('outstanding')
        if (keys.size >= maxKeys) return sweep.refusal('full')
        keys.add(key, limits.registeredBy)
        return 'recorded'
      })
    },
    async find(ref) {
      sweep.run()
      const stored = keys.get(ref)
      return stored && entryOf(stored, locks.strongestOfKey(stored))
    },
  }
}

/** Why the locks of a key refuse it. */
function refusalFor(key: KeyRecord, { ofClient, ofSubject }: KeyLocks): 'locked' | 'unbound' | undefined {
  const locks = [...ofClient, ...ofSubject]
  if (hasKind(locks, 'lock')) return 'locked'
  return hasKind(locks, 'stepUp') && !isBound(key) ? 'unbound' : undefined
}

function reservationVerbs({ keys, sweep }: Tables): Pick<ProvisioningStore, 'redeem' | 'release'> {
  return {
    async redeem(ref, attempt, lease) {
      const at = sweep.nowSeconds()
      const reservation = reservationBy(attempt, lease, at)
      sweep.run()
      const stored = keys.get(ref)
      if (stored === undefined) return 'unknown'
      const { state } = stored
      const earlier = stored.progress?.reservation
      if (state === 'redeeming' && earlier && mayResume(earlier, reservation, at)) {
        const resumed = { ...reservation, redemption: earlier.redemption, staysWithOwner: true }
        keys.move(stored, 'redeeming', { at, reservation: resumed })
        return 'resumed'
      }
      if (state !== 'issued') return state
      keys.move(stored, 'redeeming', { at, reservation })
      return 'reserved'
    },
    async release(ref, attempt, hasActed = false) {
      sweep.run()
      const stored = reservedBy(keys.get(ref), attempt)
      if (typeof stored === 'string') return stored
      const reservation = stored.progress?.reservation
      const stays = reservation?.staysWithOwner || (hasActed && reservation?.ownerId !== undefined)
      const isOver = { attempt: undefined, staysWithOwner: true, leaseUntil: Number.NEGATIVE_INFINITY }
      const at = sweep.nowSeconds()
      if (reservation && stays)
        keys.move(stored, 'redeeming', { at, reservation: { ...reservation, ...isOver } })
      else keys.move(stored, 'issued', { at })
      return 'released'
    },
  }
}

function reservationBy(attempt: string, lease: Lease | undefined, seconds: number): Reservation {
  if (lease !== undefined) requireLease(lease)
  const { ownerId, leaseSeconds = 0 } = lease ?? {}
  const leaseUntil = seconds + leaseSeconds
  return { attempt, redemption: attempt, staysWithOwner: false, ownerId, leaseUntil }
}

function mayResume({ ownerId, leaseUntil }: Reservation, later: Reservation, seconds: number): boolean {
  return ownerId !== undefined && ownerId === later.ownerId && seconds >= leaseUntil
}

function outcomeVerbs({ keys, sweep }: Tables): Pick<ProvisioningStore, 'settle' | 'recall'> {
  return {
    settle(ref, attempt, retainUntil, { outcome, request, familyClientId } = {}) {
      return sweep.decide(() => {
        requireTime('retainUntil', retainUntil)
        sweep.run()
        const stored = reservedBy(keys.get(ref), attempt)
        if (typeof stored === 'string') return stored
        const hasRoom = outcome === undefined || keys.hasRoomFor(outcome) || sweep.refusal(false)
        if (hasRoom === WAIT) return WAIT
        const reservation = stored.progress?.reservation
        const progress = keys.move(stored, 'redeemed', {
          at: sweep.nowSeconds(),
          reservation: recallable(reservation),
        })
        progress.familyClientId = familyClientId
        progress.request = progress.reservation && request
        if (hasRoom && outcome !== undefined) keys.keepOutcome(stored, outcome)
        keys.retain(stored, retainUntil)
        return 'settled'
      })
    },
    async recall(ref, ownerId) {
      sweep.run()
      const { familyRevoked, reservation, outcome, request } = keys.get(ref)?.progress ?? {}
      if (familyRevoked !== false || reservation?.ownerId !== ownerId) return undefined
      return {
        redemption: reservation.redemption,
        ...(outcome?.end.isOver === false && { outcome: outcome.text }),
        ...(request !== undefined && { request }),
      }
    },
  }
}

/** Nobody can recall a redemption without an owner. To forget its attempt saves 120 bytes for each redeemed key. */
function recallable(reservation: Reservation | undefined): Reservation | undefined {
  return reservation?.ownerId === undefined ? undefined : reservation
}

type RevocationVerbs = Pick<ProvisioningStore, 'revoke' | 'revokeFamily' | 'revokeIssuedBefore'>

function revocationVerbs({ keys, sweep }: Tables): RevocationVerbs {
  return {
    async revoke(ref) {
      sweep.run()
      const stored = keys.get(ref)
      if (stored === undefined) return 'unknown'
      if (stored.state === 'redeemed') return 'redeemed'
      if (stored.state === 'revoked') return 'unchanged'
      keys.move(stored, 'revoked', { at: sweep.nowSeconds() })
      return 'revoked'
    },
    async revokeFamily(ref) {
      sweep.run()
      const stored = keys.get(ref)
      if (stored === undefined) return 'unknown'
      const { progress } = stored
      if (progress?.state !== 'redeemed') return 'not_redeemed'
      keys.dropOutcome(stored)
      if (progress.familyRevoked) return 'unchanged'
      progress.familyRevoked = true
      return 'revoked'
    },
    revokeIssuedBefore(bound) {
      return sweep.decide(() => {
        requireFuture('retainUntil', bound.retainUntil, sweep.nowSeconds())
        requireTime('issuedBefore', bound.issuedBefore)
        sweep.run()
        const raised = keys.revokeIssuedBefore(bound)
        return raised === 'full' ? sweep.refusal(raised) : raised
      })
    },
  }
}

/** The key, if the attempt has its reservation; else the answer of the verb. */
function reservedBy(
  stored: StoredKey | undefined,
  attempt: string,
): StoredKey | 'unknown' | 'revoked' | 'lost' {
  if (stored === undefined) return 'unknown'
  if (stored.state === 'revoked') return 'revoked'
  return stored.state === 'redeeming' && stored.progress?.reservation?.attempt === attempt ? stored : 'lost'
}
