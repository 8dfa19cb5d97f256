import { enqueue, IDLE_SWEEP_MILLISECONDS, takeExpired } from './expiry-queue.js'
import { onceSet } from './memory-once.js'
import type { KeyEntry, KeyRecord, KeyRef, KeyState, ProvisioningStore } from './store.js'

/** Options of `memoryStore()`. */
export interface MemoryStoreOptions {
  /** How many keys, and how many used identifiers, are kept at once. At the cap new keys are refused; nothing is evicted. Default 100,000. */
  readonly maxKeys?: number
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * A store that lives in this process only, and is forgotten with it: for one process, and for tests.
 *
 * An entry is found up to and including the second `retainUntil`, and is unknown to every verb after it.
 *
 * @throws RangeError when `maxKeys` is not a positive integer; TypeError when `now` is not a function
 */
export function memoryStore(options: MemoryStoreOptions = {}): ProvisioningStore {
  const { maxKeys = 100_000, now = () => Date.now() } = options
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 1)
    throw new RangeError(`maxKeys: expected a positive integer, got ${String(maxKeys)}`)
  if (typeof now !== 'function') throw new TypeError(`now: expected a function, got ${typeof now}`)
  const shelf = shelfOf(now)
  const once = onceSet(maxKeys, now)

  // No verb awaits anything, so none is interrupted between its read and its write: that makes it atomic.
  return Object.freeze<ProvisioningStore>({
    async record(key, limits) {
      requireFuture(key.retainUntil, now() / 1000)
      if (shelf.at(key) !== undefined) return 'duplicate'
      // Asked this way round so that a limit that is not a number refuses.
      if (!(shelf.outstanding(key.clientId) < limits.outstanding)) return 'outstanding'
      if (shelf.size() >= maxKeys) return 'full'
      shelf.add(copyOf(key))
      return 'recorded'
    },
    async find(ref) {
      const kept = shelf.at(ref)
      return kept && entryOf(kept)
    },
    ...redemptionVerbs(shelf),
    ...revocationVerbs(shelf),
    useOnce: async (id, until) => once(id, until),
  })
}

function redemptionVerbs(shelf: Shelf): Pick<ProvisioningStore, 'redeem' | 'settle' | 'release'> {
  return {
    async redeem(ref, attempt) {
      const kept = shelf.at(ref)
      if (kept === undefined) return 'unknown'
      if (kept.state !== 'issued') return kept.state
      move(kept, 'redeeming', attempt)
      return 'claimed'
    },
    async settle(ref, attempt, retainUntil) {
      requireFinite(retainUntil)
      const claimed = claimOf(shelf.at(ref), attempt)
      if (typeof claimed === 'string') return claimed
      move(claimed, 'redeemed')
      claimed.retainUntil = Math.max(claimed.retainUntil, retainUntil)
      return 'settled'
    },
    async release(ref, attempt) {
      const claimed = claimOf(shelf.at(ref), attempt)
      if (typeof claimed === 'string') return claimed
      move(claimed, 'issued')
      return 'released'
    },
  }
}

function revocationVerbs(shelf: Shelf): Pick<ProvisioningStore, 'revoke' | 'revokeFamily'> {
  return {
    async revoke(ref) {
      const kept = shelf.at(ref)
      if (kept === undefined) return 'unknown'
      if (kept.state === 'redeemed') return 'redeemed'
      if (kept.state === 'revoked') return 'unchanged'
      move(kept, 'revoked')
      return 'revoked'
    },
    async revokeFamily(ref) {
      const kept = shelf.at(ref)
      if (kept === undefined) return 'unknown'
      if (kept.state !== 'redeemed') return 'not_redeemed'
      if (kept.familyRevoked) return 'unchanged'
      kept.familyRevoked = true
      return 'revoked'
    },
  }
}

/** What is kept of one key. The record never changes; what has become of it does. */
interface Kept {
  readonly record: KeyRecord
  readonly owner: Owner
  state: KeyState
  familyRevoked: boolean
  attempt: string | undefined
  retainUntil: number
  /** When the expiry queue looks at it next: never later than `retainUntil`. */
  due: number
}

/** What one client has. It is dropped with its last key, so that clients that came once take no room. */
interface Owner {
  readonly keys: Map<string, Kept>
  outstanding: number
}

function copyOf(key: KeyRecord): KeyRecord {
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
  const { jti, retainUntil } = record
  const fresh = { state: 'issued', familyRevoked: false, attempt: undefined } as const
  const kept: Kept = { record, owner, ...fresh, retainUntil, due: retainUntil }
  owner.keys.set(jti, kept)
  owner.outstanding += placesOf(kept.state)
  return kept
}

function entryOf({ record, state, familyRevoked, retainUntil }: Kept): KeyEntry {
  return Object.freeze({ ...record, retainUntil, state, familyRevoked })
}

function claimOf(kept: Kept | undefined, attempt: string): Kept | 'unknown' | 'revoked' | 'lost' {
  if (kept === undefined) return 'unknown'
  if (kept.state === 'revoked') return 'revoked'
  return kept.state === 'redeeming' && kept.attempt === attempt ? kept : 'lost'
}

/** Every change of state goes through here, so that a key is counted once and leaves the count once. */
function move(kept: Kept, state: KeyState, attempt?: string): void {
  kept.owner.outstanding += placesOf(state) - placesOf(kept.state)
  kept.state = state
  kept.attempt = attempt
}

function placesOf(state: KeyState): 0 | 1 {
  return state === 'issued' || state === 'redeeming' ? 1 : 0
}

function requireFuture(retainUntil: number, seconds: number): void {
  requireFinite(retainUntil)
  if (!(retainUntil > seconds))
    throw new RangeError(`retainUntil: expected a time in the future (now ${seconds}), got ${retainUntil}`)
}

function requireFinite(retainUntil: number): void {
  if (!Number.isFinite(retainUntil))
    throw new RangeError(`retainUntil: expected a time in seconds, got ${String(retainUntil)}`)
}

/** Where the keys lie. It forgets those that have expired before it answers anything. */
interface Shelf {
  at(ref: KeyRef): Kept | undefined
  outstanding(clientId: string): number
  size(): number
  add(record: KeyRecord): void
}

function shelfOf(now: () => number): Shelf {
  // Nested, because a client id and a jti are free text: no separator could tell 'ab' + 'c' from 'a' + 'bc'.
  const owners = new Map<string, Owner>()
  const queue: Kept[] = []
  let timer: NodeJS.Timeout | undefined

  function sweep(): void {
    for (const kept of takeExpired(queue, now() / 1000)) {
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

  return {
    at: ({ clientId, jti }) => current(clientId)?.keys.get(jti),
    outstanding: (clientId) => current(clientId)?.outstanding ?? 0,
    size() {
      sweep()
      return queue.length
    },
    add(record) {
      const owner = current(record.clientId) ?? { keys: new Map(), outstanding: 0 }
      owners.set(record.clientId, owner)
      enqueue(queue, issue(record, owner))
      timer ??= setInterval(sweep, IDLE_SWEEP_MILLISECONDS).unref()
    },
  }
}
