import type {
  IdentifierOwner,
  IssuedBefore,
  KeyRecord,
  KeyRef,
  KeyState,
  RecordLimits,
} from '../../ports/store.js'
import { ClientKeys } from './client-keys.js'
import type { ExpiryQueue } from './expiry.js'
import { hasKind, type KeyLocks } from './locks.js'
import type { NotBeforeTable } from './not-before.js'
import { SplitMap, Tally } from './split-map.js'
import { isOutstanding, KeyProgress, type Reservation, StoredKey, TermsPool } from './stored-key.js'
import type { Sweep } from './sweep.js'

interface TableLimits {
  readonly maxKeysPerRegistrar: number
  readonly maxOutcomeCharacters: number
}

/**
 * All keys. A key that `revokeIssuedBefore` covers is marked as revoked when it is next read. So revoking costs the
 * same for any number of keys.
 */
export class KeyTable {
  /** A client with one key has that key here. A map of its own took 230 bytes more. */
  readonly #clients = new SplitMap<StoredKey | ClientKeys>()
  readonly #terms = new TermsPool()
  readonly #ofRegistrars = new Tally()
  readonly #sweep: Sweep
  readonly #expiry: ExpiryQueue<StoredKey>
  readonly #notBefore: NotBeforeTable
  readonly #limits: TableLimits
  #size = 0
  #outcomeCharacters = 0
  /** The latest `retainUntil` of all keys. A revocation by time is kept as long, so that no revoked key comes back. */
  #latest = Number.NEGATIVE_INFINITY

  constructor(sweep: Sweep, notBefore: NotBeforeTable, limits: TableLimits) {
    this.#sweep = sweep
    this.#expiry = sweep.queue<StoredKey>({
      forget: (stored) => this.#forget(stored),
      keep: (stored) => this.dropOutcome(stored),
    })
    this.#notBefore = notBefore
    this.#limits = limits
  }

  /** An upper bound, like all counts here: see `Sweep`. */
  get size(): number {
    return this.#size
  }

  get(ref: KeyRef): StoredKey | undefined {
    const stored = this.#find(ref)
    if (stored === undefined || !stored.end.isOver) return stored && this.#withRevocation(stored)
    this.#forget(stored)
    return undefined
  }

  /**
   * All keys, also those that have expired. You may change the table meanwhile: a key that stays comes once, and a new key
   * at most once.
   */
  *all(): Generator<StoredKey> {
    for (const client of this.#clients.values())
      if (client instanceof ClientKeys) yield* client.all()
      else yield client
  }

  /** The same for the keys of one client. */
  ofClient(clientId: string): Iterable<StoredKey> {
    const client = this.#clients.get(clientId)
    if (client instanceof ClientKeys) return client.all()
    return client === undefined ? [] : [client]
  }

  /** The state that `get` would give to a key. */
  stateOf(stored: StoredKey): KeyState {
    const { state } = stored
    return state === 'redeemed' || state === 'revoked' || !this.#notBefore.covers(stored) ? state : 'revoked'
  }

  /** Whether `revokeIssuedBefore` covers a key that is about to be recorded. */
  isRevoked(record: KeyRecord): boolean {
    return this.#notBefore.covers(record)
  }

  /** Whether the client, and all clients of its registrar together, may have one more key. */
  hasPlace(
    { clientId, subject }: KeyRecord,
    { outstanding, registeredBy }: RecordLimits,
    { ofClient, ofSubject }: KeyLocks,
  ): boolean {
    const client = this.#clients.get(clientId)
    // As in `add`, all keys of a client count for the registrar of its first key.
    const registrar = client === undefined ? registeredBy : client.registeredBy
    if (registrar !== undefined && this.#ofRegistrars.of(registrar) >= this.#limits.maxKeysPerRegistrar)
      return false
    // Written so that a limit that is not a number refuses.
    const most = ofClient.length > 0 && hasKind(ofClient, 'throttle') ? Math.min(outstanding, 1) : outstanding
    if (!(outstandingOf(client) < most)) {
      const keys = client instanceof ClientKeys ? client.keysToCount(this.#notBefore.revision) : [client]
      for (const stored of keys) if (stored !== undefined) this.#withRevocation(stored)
      if (!(outstandingOf(client) < most)) return false
    }
    return ofSubject.length === 0 || !hasKind(ofSubject, 'throttle') || !this.#hasOutstanding(client, subject)
  }

  add(record: KeyRecord, registrar: string | undefined): void {
    const client = this.#clients.get(record.clientId)
    const { clientId, registeredBy } = client ?? { clientId: record.clientId, registeredBy: registrar }
    const end = this.#expiry.momentAt(record.retainUntil)
    const stored = new StoredKey(clientId, record, this.#terms.take(record, registeredBy), end)
    if (client instanceof ClientKeys) client.add(stored)
    else if (client === undefined) this.#clients.set(clientId, stored)
    else {
      // From this revision on, the count is exact.
      const counted = new ClientKeys(this.#withRevocation(client), this.#notBefore.revision)
      this.#clients.set(clientId, counted.add(stored))
    }
    if (registeredBy !== undefined) this.#ofRegistrars.add(registeredBy, 1)
    this.#latest = Math.max(this.#latest, end.time)
    this.#expiry.add(stored)
    this.#sweep.start()
    this.#size += 1
  }

  /** An owner with its registrar, if the registrar is named or known from a key. */
  withRegistrar(owner: IdentifierOwner): IdentifierOwner {
    const registeredBy = owner.registeredBy ?? this.#clients.get(owner.clientId)?.registeredBy
    return registeredBy === undefined ? owner : { ...owner, registeredBy }
  }

  /** Every change of state goes through here, so that the count of outstanding keys stays right. */
  move(
    stored: StoredKey,
    state: KeyState,
    { at, reservation }: { readonly at: number; readonly reservation?: Reservation | undefined },
  ): KeyProgress {
    const client =
      isOutstanding(state) === isOutstanding(stored.state) ? undefined : this.#clients.get(stored.clientId)
    if (client instanceof ClientKeys) client.outstanding += isOutstanding(state) ? 1 : -1
    stored.progress ??= new KeyProgress(state, at)
    const { progress } = stored
    progress.state = state
    progress.changedAt = at
    if (state === 'redeeming') progress.reservedAt ??= at
    progress.reservation = reservation
    return progress
  }

  retain(stored: StoredKey, until: number): void {
    if (until <= stored.end.time) return
    stored.end = this.#expiry.momentAt(until)
    this.#latest = Math.max(this.#latest, until)
  }

  hasRoomFor(outcome: string): boolean {
    return this.#outcomeCharacters + outcome.length <= this.#limits.maxOutcomeCharacters
  }

  keepOutcome(stored: StoredKey, text: string): void {
    if (stored.progress === undefined) return
    stored.progress.outcome = { text, end: stored.end }
    this.#outcomeCharacters += text.length
  }

  dropOutcome({ progress }: StoredKey): void {
    if (progress?.outcome === undefined) return
    this.#outcomeCharacters -= progress.outcome.text.length
    progress.outcome = undefined
  }

  revokeIssuedBefore(bound: IssuedBefore) {
    return this.#notBefore.raise(bound, Math.max(bound.retainUntil, this.#latest))
  }

  /** Whether a client has an outstanding key for a subject. */
  #hasOutstanding(client: StoredKey | ClientKeys | undefined, subject: string): boolean {
    const keys = client instanceof ClientKeys ? client.all() : [client]
    for (const stored of keys) {
      if (stored === undefined || stored.subject !== subject || stored.end.isOver) continue
      if (isOutstanding(this.#withRevocation(stored).state)) return true
    }
    return false
  }

  #find({ clientId, jti }: KeyRef): StoredKey | undefined {
    const client = this.#clients.get(clientId)
    if (client instanceof ClientKeys) return client.get(jti)
    return client?.jti === jti ? client : undefined
  }

  #forget(stored: StoredKey): void {
    // A verb may have forgotten it before the sweep came to it.
    if (this.#find(stored) !== stored) return
    const { clientId, terms } = stored
    this.dropOutcome(stored)
    this.#size -= 1
    if (terms.registeredBy !== undefined) this.#ofRegistrars.add(terms.registeredBy, -1)
    this.#terms.giveBack(terms)
    const client = this.#clients.get(clientId)
    const rest = client instanceof ClientKeys ? client.without(stored) : undefined
    if (rest === undefined) this.#clients.delete(clientId)
    else if (rest !== client) this.#clients.set(clientId, rest)
  }

  #withRevocation(stored: StoredKey): StoredKey {
    const { progress } = stored
    if (progress?.state === 'revoked' || !this.#notBefore.covers(stored)) return stored
    if (progress?.state === 'redeemed') {
      progress.familyRevoked = true
      this.dropOutcome(stored)
    } else this.move(stored, 'revoked', { at: stored.changedAt })
    return stored
  }
}

function outstandingOf(client: StoredKey | ClientKeys | undefined): number {
  if (client instanceof ClientKeys) return client.outstanding
  return client !== undefined && !client.end.isOver && isOutstanding(client.state) ? 1 : 0
}
