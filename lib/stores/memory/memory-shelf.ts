import type {
  IssuedBefore,
  KeyEntry,
  KeyRecord,
  KeyRef,
  KeyState,
  RevokeIssuedOutcome,
} from '../../ports/store.js'
import { enqueue, IDLE_SWEEP_MILLISECONDS, takeExpired } from './expiry-queue.js'
import type { Watermarks } from './memory-watermarks.js'

/** What is kept of one key. The record never changes; what has become of it does. */
export interface Kept {
  readonly record: KeyRecord
  readonly owner: Owner
  state: KeyState
  /** NumericDate at which it came into its state. */
  changedAt: number
  /** NumericDate at which it was first reserved. */
  reservedAt: number | undefined
  familyRevoked: boolean
  /** Who claimed it, or redeemed it in the end. */
  claim: Claim | undefined
  familyClientId: string | undefined
  retainUntil: number
  /** When the expiry queue looks at it next: never later than `retainUntil`. */
  due: number
}

/** A claim on a key. */
export interface Claim {
  /** None, once it has given back what it had taken over. */
  readonly attempt: string | undefined
  /** The first attempt of those that had the claim one after another. */
  readonly redemption: string
  readonly isTakenOver: boolean
  readonly holder: string | undefined
  /** NumericDate from which the same holder may take it over. */
  readonly leaseUntil: number
}

/** When a key changes its state, and who has the claim after it. */
interface Change {
  readonly at: number
  readonly claim?: Claim | undefined
}

/** What one client has. It is dropped with its last key, so that clients that came once take no room. */
interface Owner {
  readonly keys: Map<string, Kept>
  /** Never too low; too high by those that a watermark has covered since the keys were last looked through. */
  outstanding: number
  /** The revision of the watermarks when the keys were last looked through. */
  revision: number
}

/** A copy of a record, and of nothing else. */
export function copyOf(key: KeyRecord): KeyRecord {
  // Member by member: whatever else the caller's object carries, the key itself above all, is not kept.
  const { clientId, jti, subject, audience, issuedAt, expiresAt, retainUntil, confirmation } = key
  const scope = Object.freeze([...key.scope])
  const { jkt, 'x5t#S256': certificate } = confirmation ?? {}
  const cnf = { ...(jkt && { jkt }), ...(certificate && { 'x5t#S256': certificate }) }
  const bound = confirmation === undefined ? {} : { confirmation: Object.freeze(cnf) }
  return Object.freeze({
    clientId,
    jti,
    subject,
    scope,
    audience,
    issuedAt,
    expiresAt,
    retainUntil,
    ...bound,
  })
}

function issue(record: KeyRecord, owner: Owner): Kept {
  const { jti, issuedAt, retainUntil } = record
  const fresh = {
    state: 'issued',
    changedAt: issuedAt,
    reservedAt: undefined,
    familyRevoked: false,
    claim: undefined,
    familyClientId: undefined,
  } as const
  const kept: Kept = { record, owner, ...fresh, retainUntil, due: retainUntil }
  owner.keys.set(jti, kept)
  owner.outstanding += placesOf(kept.state)
  return kept
}

/** What is told of a key. */
export function entryOf(kept: Kept): KeyEntry {
  const { record, state, changedAt, reservedAt, familyRevoked, familyClientId, retainUntil } = kept
  const brought = familyClientId === undefined ? {} : { familyClientId }
  const reserved = reservedAt === undefined ? {} : { reservedAt }
  return Object.freeze({ ...record, retainUntil, state, changedAt, ...reserved, familyRevoked, ...brought })
}

/** Every change of state goes through here, so that a key is counted once and leaves the count once. */
export function move(kept: Kept, state: KeyState, { at, claim }: Change): void {
  kept.owner.outstanding += placesOf(state) - placesOf(kept.state)
  kept.state = state
  kept.changedAt = at
  if (state === 'redeeming') kept.reservedAt ??= at
  kept.claim = claim
}

function placesOf(state: KeyState): 0 | 1 {
  return state === 'issued' || state === 'redeeming' ? 1 : 0
}

/**
 * Where the keys lie. It forgets those that have expired before it answers anything, and what a watermark covers is
 * revoked by the time anybody sees it: a key is looked at when it is asked for, so that raising a watermark costs the
 * same however many keys there are.
 */
export interface Shelf {
  at(ref: KeyRef): Kept | undefined
  /** Whether a watermark covers what is about to be recorded. */
  isRevoked(record: KeyRecord): boolean
  /** Whether the client may have one more key. */
  hasPlace(clientId: string, limit: number): boolean
  size(): number
  add(record: KeyRecord): void
  retain(kept: Kept, until: number): void
  revokeIssuedBefore(bound: IssuedBefore): RevokeIssuedOutcome
}

/** @param alsoForget is called as often as what has expired is forgotten */
export function shelfOf(now: () => number, watermarks: Watermarks, alsoForget: () => void): Shelf {
  // Nested, because a client id and a jti are free text: no separator could tell 'ab' + 'c' from 'a' + 'bc'.
  const owners = new Map<string, Owner>()
  const queue: Kept[] = []
  let timer: NodeJS.Timeout | undefined
  /** When the last of the keys so far is forgotten; a watermark outlives it, so that no key comes back to life. */
  let latest = Number.NEGATIVE_INFINITY

  function sweep(): void {
    const seconds = now() / 1000
    watermarks.forgetExpired(seconds)
    alsoForget()
    for (const kept of takeExpired(queue, seconds)) {
      kept.owner.outstanding -= placesOf(kept.state)
      kept.owner.keys.delete(kept.record.jti)
      if (kept.owner.keys.size === 0) owners.delete(kept.record.clientId)
    }
    if (queue.length > 0) return
    clearInterval(timer)
    timer = undefined
  }

  function current(clientId: string): Owner | undefined {
    sweep()
    return owners.get(clientId)
  }

  function judged(kept: Kept): Kept {
    if (kept.state === 'revoked' || !watermarks.covers(kept.record)) return kept
    if (kept.state === 'redeemed') kept.familyRevoked = true
    else move(kept, 'revoked', { at: kept.changedAt })
    return kept
  }

  function retain(kept: Kept, until: number): void {
    kept.retainUntil = Math.max(kept.retainUntil, until)
    latest = Math.max(latest, kept.retainUntil)
  }

  return {
    at({ clientId, jti }) {
      const kept = current(clientId)?.keys.get(jti)
      return kept && judged(kept)
    },
    isRevoked(record) {
      sweep()
      return watermarks.covers(record)
    },
    hasPlace(clientId, limit) {
      const owner = current(clientId)
      // Asked this way round so that a limit that is not a number refuses.
      if ((owner?.outstanding ?? 0) < limit) return true
      if (owner === undefined || owner.revision === watermarks.revision()) return false
      for (const kept of owner.keys.values()) judged(kept)
      owner.revision = watermarks.revision()
      return owner.outstanding < limit
    },
    size() {
      sweep()
      return queue.length
    },
    add(record) {
      const fresh = { keys: new Map(), outstanding: 0, revision: watermarks.revision() }
      const owner = current(record.clientId) ?? fresh
      owners.set(record.clientId, owner)
      const kept = issue(record, owner)
      retain(kept, record.retainUntil)
      enqueue(queue, kept)
      timer ??= setInterval(sweep, IDLE_SWEEP_MILLISECONDS).unref()
    },
    retain,
    revokeIssuedBefore(bound) {
      sweep()
      return watermarks.raise(bound, Math.max(bound.retainUntil, latest))
    },
  }
}
