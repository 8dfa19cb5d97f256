import type {
  IdentifierOwner,
  IssuedBefore,
  KeyEntry,
  KeyRecord,
  KeyRef,
  ProvisioningStore,
  UseOnceOutcome,
} from '../../lib/ports/store.js'
import { naiveListing } from './naive-listing.js'
import { naiveMonitoring } from './naive-monitoring.js'

/** The limits of a store. */
export interface Caps {
  readonly maxKeys: number
  readonly maxOutcomeCharacters: number
  readonly maxProofsPerClient: number
  readonly maxProofsPerKey: number
}

export interface Modelled {
  entry: KeyEntry
  reservation?: {
    readonly attempt: string | undefined
    readonly redemption: string
    readonly staysWithOwner: boolean
    readonly ownerId: string | undefined
    readonly leaseUntil: number
  }
  outcome?: { text: string; until: number }
}

/** The simplest correct store: one list that every verb searches from beginning to end. */
export function naiveStore(now: () => number, caps: Caps): ProvisioningStore {
  let all: Modelled[] = []
  const revoked = naiveNotBefore(now)
  const identifiers = naiveIdentifiers(now, caps)
  const living = () => {
    identifiers.forgetExpired()
    all = all.filter(({ entry }) => entry.retainUntil >= now())
    for (const one of all) if (one.outcome && one.outcome.until < now()) delete one.outcome
    revoked.apply(all)
    return all
  }
  const one = (ref: KeyRef) =>
    living().find(({ entry }) => entry.clientId === ref.clientId && entry.jti === ref.jti)
  const open = ({ clientId }: KeyRef) =>
    living().filter(({ entry }) => entry.clientId === clientId && /^(issued|redeeming)$/.test(entry.state))
  const monitoring = naiveMonitoring(now, caps, one)
  return forgettingAfter(living, {
    async record(key, limits) {
      if (key.retainUntil <= now()) throw new RangeError()
      if (one(key)) return 'duplicate'
      if (revoked.covers(key)) return 'revoked'
      const refusal = monitoring.refusalOf(key, open(key))
      if (refusal !== undefined) return refusal
      if (open(key).length >= limits.outstanding) return 'outstanding'
      if (living().length >= caps.maxKeys) return 'full'
      all.push({ entry: { ...key, state: 'issued', changedAt: key.issuedAt, familyRevoked: false } })
      return 'recorded'
    },
    async revokeIssuedBefore(bound) {
      // A refused call changes nothing. It does not even forget an entry that a clock set back makes valid again.
      if (bound.retainUntil <= now()) throw new RangeError()
      living()
      return revoked.raise(bound)
    },
    find: async (ref) => monitoring.withLock(one(ref)?.entry),
    ...monitoring.verbs,
    ...naiveListing(now, {
      keys: () => living().flatMap(({ entry }) => monitoring.withLock(entry) ?? []),
      uses: monitoring.uses,
    }),
    async useOnce(id, until, owner) {
      if (until <= now()) throw new RangeError()
      living()
      return identifiers.use(id, until, owner)
    },
    ...naiveMoves(one, now),
    ...naiveReservations(one, now),
    ...naiveOutcomes(one, living, { ...caps, now }),
  })
}

/** A store forgets expired keys at every verb that is not refused, so a clock that is set back does not revive them. */
function forgettingAfter(forgetExpired: () => unknown, store: ProvisioningStore): ProvisioningStore {
  type Verb = (...values: readonly unknown[]) => Promise<unknown>
  const forgetting = Object.entries(store).map(([name, verb]) => {
    const call: Verb = async (...values) => {
      const answer = await (verb as Verb)(...values)
      forgetExpired()
      return answer
    }
    return [name, call]
  })
  return Object.fromEntries(forgetting)
}

function naiveIdentifiers(now: () => number, caps: Caps) {
  let used: { readonly id: string; readonly until: number; readonly owner?: IdentifierOwner | undefined }[] =
    []
  /** The ends that have passed. */
  const passed = new Set<number>()
  const forgetExpired = () => {
    for (const { until } of used) if (until < now()) passed.add(until)
    used = used.filter((one) => one.until >= now())
  }
  const use = (id: string, until: number, owner: IdentifierOwner | undefined): UseOnceOutcome => {
    if (used.some((one) => one.id === id)) return 'used'
    if (passed.has(until)) throw new Error('The clock has gone back.')
    const isOfKey = owner?.jti !== undefined
    const ofClient = used.filter(
      (one) => owner && one.owner?.clientId === owner.clientId && isOfKey === (one.owner.jti !== undefined),
    )
    const ofKey = ofClient.filter((one) => isOfKey && one.owner?.jti === owner.jti)
    if (ofClient.length >= caps.maxProofsPerClient || ofKey.length >= caps.maxProofsPerKey) return 'limited'
    if (used.length >= caps.maxKeys) return 'full'
    used.push({ id, until, owner })
    return 'first'
  }
  return { forgetExpired, use }
}

/** All bounds so far. An entry that a bound has changed stays changed. */
function naiveNotBefore(now: () => number) {
  let bounds: IssuedBefore[] = []
  /** The time at which the last entry is forgotten. A bound holds at least until then. */
  let latest = 0
  const covers = ({ clientId, subject, issuedAt }: KeyRecord) =>
    bounds
      .filter(({ retainUntil, issuedBefore }) => retainUntil >= now() && issuedAt <= issuedBefore)
      .some(({ identity }) => [undefined, clientId, subject].includes(identity))
  return {
    covers,
    apply(all: readonly Modelled[]): void {
      bounds = bounds.filter((bound) => bound.retainUntil >= now())
      latest = Math.max(latest, ...all.map(({ entry }) => entry.retainUntil))
      for (const one of all.filter(({ entry }) => covers(entry))) {
        const fate = one.entry.state === 'redeemed' ? { familyRevoked: true } : { state: 'revoked' as const }
        one.entry = { ...one.entry, ...fate }
      }
    },
    raise(bound: IssuedBefore): 'revoked' | 'unchanged' {
      const same = bounds.filter(({ identity }) => identity === bound.identity)
      const issuedBefore = Math.max(bound.issuedBefore, ...same.map((one) => one.issuedBefore))
      const retainUntil = Math.max(bound.retainUntil, latest, ...same.map((one) => one.retainUntil))
      bounds = [...bounds.filter((one) => !same.includes(one)), { ...bound, issuedBefore, retainUntil }]
      return same.some((one) => one.issuedBefore >= bound.issuedBefore) ? 'unchanged' : 'revoked'
    },
  }
}

type One = (ref: KeyRef) => Modelled | undefined

function lacking(found: Modelled | undefined, attempt: string): 'unknown' | 'revoked' | 'lost' | undefined {
  if (!found) return 'unknown'
  if (found.entry.state === 'revoked') return 'revoked'
  return found.entry.state !== 'redeeming' || found.reservation?.attempt !== attempt ? 'lost' : undefined
}

function change<T>(found: Modelled | undefined, changes: Partial<KeyEntry>, answer: T): T {
  if (found) found.entry = { ...found.entry, ...changes }
  return answer
}

function naiveReservations(one: One, now: () => number): Pick<ProvisioningStore, 'redeem' | 'release'> {
  return {
    async redeem(ref, attempt, lease) {
      if (lease && !(lease.leaseSeconds > 0)) throw new RangeError()
      const found = one(ref)
      const { ownerId, leaseSeconds = 0 } = lease ?? {}
      const reservation = {
        attempt,
        redemption: attempt,
        staysWithOwner: false,
        ownerId,
        leaseUntil: now() + leaseSeconds,
      }
      const earlier = found?.entry.state === 'redeeming' ? found.reservation : undefined
      const isSame = ownerId !== undefined && earlier?.ownerId === ownerId
      if (found && earlier && isSame && now() >= earlier.leaseUntil) {
        found.reservation = { ...reservation, redemption: earlier.redemption, staysWithOwner: true }
        return change(found, { changedAt: now() }, 'resumed')
      }
      if (found?.entry.state !== 'issued') return found?.entry.state ?? 'unknown'
      found.reservation = reservation
      const reservedAt = found.entry.reservedAt ?? now()
      return change(found, { state: 'redeeming', changedAt: now(), reservedAt }, 'reserved')
    },
    async release(ref, attempt) {
      const found = one(ref)
      const lack = lacking(found, attempt)
      if (lack) return lack
      const changedAt = now()
      if (!found?.reservation?.staysWithOwner)
        return change(found, { state: 'issued', changedAt }, 'released')
      found.reservation = { ...found.reservation, attempt: undefined, leaseUntil: 0 }
      return change(found, { changedAt }, 'released')
    },
  }
}

function naiveOutcomes(
  one: One,
  living: () => readonly Modelled[],
  { maxOutcomeCharacters, now }: Caps & { readonly now: () => number },
): Pick<ProvisioningStore, 'settle' | 'recall'> {
  return {
    async settle(ref, attempt, until, { outcome, familyClientId } = {}) {
      const found = one(ref)
      const refused = lacking(found, attempt)
      if (refused || !found) return refused ?? 'unknown'
      const own = found.entry.retainUntil
      const lengths = living().map((each) => each.outcome?.text.length ?? 0)
      const room = maxOutcomeCharacters - lengths.reduce((sum, length) => sum + length, 0)
      if (outcome !== undefined && outcome.length <= room) found.outcome = { text: outcome, until: own }
      const family = familyClientId === undefined ? {} : { familyClientId }
      const times = { changedAt: now(), retainUntil: Math.max(own, until) }
      return change(found, { state: 'redeemed', ...times, ...family }, 'settled')
    },
    async recall(ref, ownerId) {
      const { entry, reservation, outcome } = one(ref) ?? {}
      if (!entry || !reservation || !/^rede/.test(entry.state)) return undefined
      if (reservation.ownerId !== ownerId || entry.familyRevoked) return undefined
      return { redemption: reservation.redemption, ...(outcome && { outcome: outcome.text }) }
    },
  }
}

function naiveMoves(one: One, now: () => number): Pick<ProvisioningStore, 'revoke' | 'revokeFamily'> {
  return {
    async revoke(ref) {
      const found = one(ref)
      const state = found?.entry.state ?? 'unknown'
      if (state === 'unknown' || state === 'redeemed') return state
      if (state === 'revoked') return 'unchanged'
      return change(found, { state: 'revoked', changedAt: now() }, 'revoked')
    },
    async revokeFamily(ref) {
      const found = one(ref)
      if (found?.entry.state !== 'redeemed') return found ? 'not_redeemed' : 'unknown'
      delete found.outcome
      return found.entry.familyRevoked ? 'unchanged' : change(found, { familyRevoked: true }, 'revoked')
    },
  }
}
