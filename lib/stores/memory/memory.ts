import type { Lease, ProvisioningStore } from '../../ports/store.js'
import { requireFuture, requireLease, requireTime } from '../verb-arguments.js'
import { ExpiryQueue } from './expiry.js'
import { copyOf, entryOf, KeyTable, move, type Reservation, type StoredKey } from './key-table.js'
import { type MemoryStoreOptions, readMemoryOptions } from './memory-options.js'
import { NotBeforeTable } from './not-before.js'
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
  const { maxKeys, maxOutcomeCharacters, now } = readMemoryOptions(options)
  const expiry = new ExpiryQueue(now)
  const notBefore = new NotBeforeTable(expiry, maxKeys)
  const limits = { maxKeysPerRegistrar: halfOf(maxKeys), maxOutcomeCharacters }
  const keys = new KeyTable(expiry, notBefore, limits)
  const identifiers = new UsedIdentifiers(expiry, sharedLimits(maxKeys, options))
  const tables: Tables = { keys, maxKeys, expiry }

  // Each verb is atomic because it awaits nothing between its read and its write.
  return Object.freeze<ProvisioningStore>({
    ...recordVerbs(tables),
    ...reservationVerbs(tables),
    ...outcomeVerbs(tables),
    ...revocationVerbs(tables),
    useOnce: useOnceVerb(identifiers, expiry, (owner) => keys.withRegistrar(owner)),
  })
}

/** What the verbs work on. Each verb checks its parameters, calls `expiry.sweep()` once, and then reads and writes. */
interface Tables {
  readonly keys: KeyTable
  readonly maxKeys: number
  readonly expiry: ExpiryQueue
}

type RecordVerbs = Pick<ProvisioningStore, 'record' | 'find'>

function recordVerbs({ keys, maxKeys, expiry }: Tables): RecordVerbs {
  return {
    async record(key, limits) {
      requireFuture('retainUntil', key.retainUntil, expiry.nowSeconds())
      expiry.sweep()
      if (keys.get(key) !== undefined) return 'duplicate'
      if (keys.isRevoked(key)) return 'revoked'
      if (!keys.hasPlace(key.clientId, limits)) return 'outstanding'
      if (keys.size >= maxKeys) return 'full'
      keys.add(copyOf(key), limits.registeredBy)
      return 'recorded'
    },
    async find(ref) {
      expiry.sweep()
      const stored = keys.get(ref)
      return stored && entryOf(stored)
    },
  }
}

function reservationVerbs({ keys, expiry }: Tables): Pick<ProvisioningStore, 'redeem' | 'release'> {
  return {
    async redeem(ref, attempt, lease) {
      const at = expiry.nowSeconds()
      const reservation = reservationBy(attempt, lease, at)
      expiry.sweep()
      const stored = keys.get(ref)
      if (stored === undefined) return 'unknown'
      const earlier = stored.reservation
      if (stored.state === 'redeeming' && earlier && mayResume(earlier, reservation, at)) {
        const resumed = { ...reservation, redemption: earlier.redemption, staysWithOwner: true }
        move(stored, 'redeeming', { at, reservation: resumed })
        return 'resumed'
      }
      if (stored.state !== 'issued') return stored.state
      move(stored, 'redeeming', { at, reservation })
      return 'reserved'
    },
    async release(ref, attempt, hasActed = false) {
      expiry.sweep()
      const stored = reservedBy(keys.get(ref), attempt)
      if (typeof stored === 'string') return stored
      const { reservation } = stored
      const stays = reservation?.staysWithOwner || (hasActed && reservation?.ownerId !== undefined)
      const isOver = { attempt: undefined, staysWithOwner: true, leaseUntil: Number.NEGATIVE_INFINITY }
      const at = expiry.nowSeconds()
      if (reservation && stays) move(stored, 'redeeming', { at, reservation: { ...reservation, ...isOver } })
      else move(stored, 'issued', { at })
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

function outcomeVerbs({ keys, expiry }: Tables): Pick<ProvisioningStore, 'settle' | 'recall'> {
  return {
    async settle(ref, attempt, retainUntil, { outcome, request, familyClientId } = {}) {
      requireTime('retainUntil', retainUntil)
      expiry.sweep()
      const stored = reservedBy(keys.get(ref), attempt)
      if (typeof stored === 'string') return stored
      move(stored, 'redeemed', { at: expiry.nowSeconds(), reservation: stored.reservation })
      stored.familyClientId = familyClientId
      stored.request = request
      if (outcome !== undefined) keys.keepOutcome(stored, outcome)
      keys.retain(stored, retainUntil)
      return 'settled'
    },
    async recall(ref, ownerId) {
      expiry.sweep()
      const stored = keys.get(ref)
      const reservation = stored?.reservation
      if (stored?.familyRevoked !== false || reservation?.ownerId !== ownerId) return undefined
      const { outcome, request } = stored
      return {
        redemption: reservation.redemption,
        ...(outcome !== undefined && { outcome }),
        ...(request !== undefined && { request }),
      }
    },
  }
}

type RevocationVerbs = Pick<ProvisioningStore, 'revoke' | 'revokeFamily' | 'revokeIssuedBefore'>

function revocationVerbs({ keys, expiry }: Tables): RevocationVerbs {
  return {
    async revoke(ref) {
      expiry.sweep()
      const stored = keys.get(ref)
      if (stored === undefined) return 'unknown'
      if (stored.state === 'redeemed') return 'redeemed'
      if (stored.state === 'revoked') return 'unchanged'
      move(stored, 'revoked', { at: expiry.nowSeconds() })
      return 'revoked'
    },
    async revokeFamily(ref) {
      expiry.sweep()
      const stored = keys.get(ref)
      if (stored === undefined) return 'unknown'
      if (stored.state !== 'redeemed') return 'not_redeemed'
      keys.dropOutcome(stored)
      if (stored.familyRevoked) return 'unchanged'
      stored.familyRevoked = true
      return 'revoked'
    },
    async revokeIssuedBefore(bound) {
      requireFuture('retainUntil', bound.retainUntil, expiry.nowSeconds())
      requireTime('issuedBefore', bound.issuedBefore)
      expiry.sweep()
      return keys.revokeIssuedBefore(bound)
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
  return stored.state === 'redeeming' && stored.reservation?.attempt === attempt ? stored : 'lost'
}
