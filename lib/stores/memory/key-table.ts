import type {
  IdentifierOwner,
  IssuedBefore,
  KeyEntry,
  KeyRecord,
  KeyRef,
  KeyState,
  RecordLimits,
} from '../../ports/store.js'
import { copyOfConfirmation } from '../verb-arguments.js'
import type { Expiring, ExpiryQueue } from './expiry.js'
import type { NotBeforeTable } from './not-before.js'
import { Tally } from './tally.js'

/** A key in the table. Its record never changes; its state does. */
export class StoredKey implements Expiring {
  readonly record: KeyRecord
  readonly client: ClientKeys
  state: KeyState = 'issued'
  /** NumericDate of the last change of `state`. */
  changedAt: number
  /** NumericDate of the first reservation. */
  reservedAt: number | undefined = undefined
  familyRevoked = false
  /** The attempt that has reserved the key, or has redeemed it. */
  reservation: Reservation | undefined = undefined
  familyClientId: string | undefined = undefined
  /** Recognises the request of the redemption. */
  request: string | undefined = undefined
  /** The encrypted answer to a redemption, kept until the record's own `retainUntil`. */
  outcome: string | undefined = undefined
  retainUntil: number
  due: number
  readonly #table: KeyTable

  constructor(table: KeyTable, record: KeyRecord, client: ClientKeys) {
    this.#table = table
    this.record = record
    this.client = client
    this.changedAt = record.issuedAt
    this.retainUntil = record.retainUntil
    this.due = record.retainUntil
  }

  forget(): void {
    this.#table.forget(this)
  }

  defer(): void {
    this.#table.dropOutcome(this)
  }
}

export interface Reservation {
  /** `undefined` after a release that left the reservation to its owner. */
  readonly attempt: string | undefined
  /** The first of all attempts that have had this reservation. */
  readonly redemption: string
  /** Whether an earlier attempt may have acted: then a release does not issue the key again. */
  readonly staysWithOwner: boolean
  readonly ownerId: string | undefined
  /** NumericDate from which the same owner may resume the redemption. */
  readonly leaseUntil: number
}

/** The keys of one client. */
interface ClientKeys {
  readonly keys: Map<string, StoredKey>
  /** The client that registered this one. */
  readonly registeredBy: string | undefined
  /** An upper bound, exact for all keys but those revoked by `revokeIssuedBefore` since `revision`. */
  outstanding: number
  /** The revision of `NotBeforeTable` when the keys were last counted exactly. */
  revision: number
}

/** The limits of the whole table. */
interface TableLimits {
  readonly maxKeysPerRegistrar: number
  readonly maxOutcomeCharacters: number
}

/**
 * All keys. A key that `revokeIssuedBefore` covers is marked as revoked when it is next read. So revoking costs the
 * same for any number of keys.
 */
export class KeyTable {
  // Nested, because a client id and a jti are free text.
  readonly #clients = new Map<string, ClientKeys>()
  readonly #ofRegistrars = new Tally()
  readonly #expiry: ExpiryQueue
  readonly #notBefore: NotBeforeTable
  readonly #limits: TableLimits
  #size = 0
  #outcomeCharacters = 0
  /** The latest `retainUntil` of all keys. A revocation by time is kept as long, so that no revoked key comes back. */
  #latest = Number.NEGATIVE_INFINITY

  constructor(expiry: ExpiryQueue, notBefore: NotBeforeTable, limits: TableLimits) {
    this.#expiry = expiry
    this.#notBefore = notBefore
    this.#limits = limits
  }

  get size(): number {
    return this.#size
  }

  get({ clientId, jti }: KeyRef): StoredKey | undefined {
    const stored = this.#clients.get(clientId)?.keys.get(jti)
    return stored && this.#withRevocation(stored)
  }

  /** Whether `revokeIssuedBefore` covers a key that is about to be recorded. */
  isRevoked(record: KeyRecord): boolean {
    return this.#notBefore.covers(record)
  }

  /** Whether the client, and all clients of its registrar together, may have one more key. */
  hasPlace(clientId: string, { outstanding, registeredBy }: RecordLimits): boolean {
    if (registeredBy !== undefined && this.#ofRegistrars.of(registeredBy) >= this.#limits.maxKeysPerRegistrar)
      return false
    const client = this.#clients.get(clientId)
    // Written so that a limit that is not a number refuses.
    if ((client?.outstanding ?? 0) < outstanding) return true
    if (client === undefined || client.revision === this.#notBefore.revision) return false
    for (const stored of client.keys.values()) this.#withRevocation(stored)
    client.revision = this.#notBefore.revision
    return client.outstanding < outstanding
  }

  add(record: KeyRecord, registeredBy: string | undefined): void {
    const client = this.#clients.get(record.clientId) ?? {
      keys: new Map<string, StoredKey>(),
      registeredBy,
      outstanding: 0,
      revision: this.#notBefore.revision,
    }
    this.#clients.set(record.clientId, client)
    const stored = new StoredKey(this, record, client)
    client.keys.set(record.jti, stored)
    client.outstanding += 1
    if (client.registeredBy !== undefined) this.#ofRegistrars.add(client.registeredBy, 1)
    this.retain(stored, record.retainUntil)
    this.#expiry.add(stored)
    this.#size += 1
  }

  /** An owner with its registrar, if the registrar is named or known from a key. */
  withRegistrar(owner: IdentifierOwner): IdentifierOwner {
    const registeredBy = owner.registeredBy ?? this.#clients.get(owner.clientId)?.registeredBy
    return registeredBy === undefined ? owner : { ...owner, registeredBy }
  }

  retain(stored: StoredKey, until: number): void {
    stored.retainUntil = Math.max(stored.retainUntil, until)
    this.#latest = Math.max(this.#latest, stored.retainUntil)
  }

  /** Keeps an outcome if there is room for it. */
  keepOutcome(stored: StoredKey, outcome: string): void {
    if (this.#outcomeCharacters + outcome.length > this.#limits.maxOutcomeCharacters) return
    stored.outcome = outcome
    this.#outcomeCharacters += outcome.length
  }

  dropOutcome(stored: StoredKey): void {
    this.#outcomeCharacters -= stored.outcome?.length ?? 0
    stored.outcome = undefined
  }

  revokeIssuedBefore(bound: IssuedBefore) {
    return this.#notBefore.raise(bound, Math.max(bound.retainUntil, this.#latest))
  }

  forget(stored: StoredKey): void {
    const { client, record, state } = stored
    this.dropOutcome(stored)
    this.#size -= 1
    client.outstanding -= placesOf(state)
    client.keys.delete(record.jti)
    if (client.registeredBy !== undefined) this.#ofRegistrars.add(client.registeredBy, -1)
    if (client.keys.size === 0) this.#clients.delete(record.clientId)
  }

  #withRevocation(stored: StoredKey): StoredKey {
    if (stored.state === 'revoked' || !this.#notBefore.covers(stored.record)) return stored
    if (stored.state === 'redeemed') stored.familyRevoked = true
    else move(stored, 'revoked', { at: stored.changedAt })
    return stored
  }
}

/** Every change of state goes through here, so that the count of outstanding keys stays right. */
export function move(
  stored: StoredKey,
  state: KeyState,
  { at, reservation }: { readonly at: number; readonly reservation?: Reservation | undefined },
): void {
  stored.client.outstanding += placesOf(state) - placesOf(stored.state)
  stored.state = state
  stored.changedAt = at
  if (state === 'redeeming') stored.reservedAt ??= at
  stored.reservation = reservation
}

function placesOf(state: KeyState): 0 | 1 {
  return state === 'issued' || state === 'redeeming' ? 1 : 0
}

/** Copies a record member by member. If the caller's object also has the key itself, it must not get into the store. */
export function copyOf(key: KeyRecord): KeyRecord {
  const { clientId, jti, subject, audience, issuedAt, expiresAt, retainUntil, confirmation } = key
  return Object.freeze({
    clientId,
    jti,
    subject,
    scope: Object.freeze([...key.scope]),
    audience,
    issuedAt,
    expiresAt,
    retainUntil,
    ...(confirmation !== undefined && { confirmation: copyOfConfirmation(confirmation) }),
  })
}

/** The answer of `find`. */
export function entryOf(stored: StoredKey): KeyEntry {
  const { record, state, changedAt, reservedAt, familyRevoked, familyClientId, retainUntil } = stored
  return Object.freeze({
    ...record,
    retainUntil,
    state,
    changedAt,
    ...(reservedAt !== undefined && { reservedAt }),
    familyRevoked,
    ...(familyClientId !== undefined && { familyClientId }),
  })
}
