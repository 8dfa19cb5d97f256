import type { KeyEntry, KeyRecord, KeyRef } from './key-record.js'
import type { ListingStore } from './listing.js'
import type { MonitoringStore } from './monitoring-store.js'
import type {
  RecordOutcome,
  RedeemOutcome,
  ReleaseOutcome,
  RevokeFamilyOutcome,
  RevokeIssuedOutcome,
  RevokeOutcome,
  SettleOutcome,
  UseOnceOutcome,
} from './store-outcomes.js'

export type { Confirmation, KeyEntry, KeyRecord, KeyRef, KeyState } from './key-record.js'
export type { KeyCounts, KeyPage, KeyQuery, ListingStore, PageQuery, UsePage } from './listing.js'
export type { Lock, LockKind } from './lock.js'
export type {
  ClientUse,
  Evidence,
  Finding,
  MonitoringStore,
  NotedFinding,
  NotedPresentation,
} from './monitoring-store.js'
export type {
  CloseFindingOutcome,
  LockOutcome,
  NotePresentationOutcome,
  RecordOutcome,
  RedeemOutcome,
  ReleaseOutcome,
  RevokeFamilyOutcome,
  RevokeIssuedOutcome,
  RevokeOutcome,
  SettleOutcome,
  UnlockOutcome,
  UseOnceOutcome,
} from './store-outcomes.js'

/**
 * The port to the store of keys.
 *
 * Every verb that changes something is one atomic operation that says what happened. Do not build it from a read and a
 * later write. Every other verb reads, and `ListingStore` says which ones may read while others write. An
 * entry is found up to and including its `retainUntil`; after that every verb answers `unknown`. A store that cannot
 * answer rejects: then the request is refused with 503. The library waits 10 seconds for each verb of a store of your own.
 *
 * `storeContract()` of `express-provisioning-keys/testing` tests a store of your own.
 *
 * @example
 * function storeOf(sendCommand: SendCommand | undefined): ProvisioningStore {
 *   return sendCommand === undefined ? memoryStore() : redisStore({ sendCommand })
 * }
 */
export interface ProvisioningStore extends MonitoringStore, ListingStore {
  /**
   * Records a key as `issued`.
   *
   * @param limits.outstanding how many keys of one client may be `issued` or `redeeming` at the same time
   * @param limits.registeredBy the client that registered this one. A store with a cap keeps half of it free of all
   *   clients that one client has registered
   * @returns `recorded`; or, with nothing changed: `duplicate` (the `jti` is known), `revoked` (`revokeIssuedBefore`
   *   covers it already), `locked` (its client or its subject is locked), `unbound` (they are locked by `stepUp`, and the
   *   key is not bound), `outstanding` (the client, or all clients of its registrar, have too many; with `throttle`:
   *   one), `full` (the store is at its cap; nothing live is ever evicted)
   * @throws RangeError when `retainUntil` is past or not a number: a record that is gone immediately would allow a
   *   replay
   */
  record(key: KeyRecord, limits: RecordLimits): Promise<RecordOutcome>

  /** Reads an entry; `undefined` if there is none. Do not decide a move by it. */
  find(ref: KeyRef): Promise<KeyEntry | undefined>

  /**
   * `issued -> redeeming`: reserves a key for one attempt. Of any number of concurrent calls exactly one gets
   * `reserved`.
   *
   * With a `lease` the reservation has an owner. After the lease exactly one attempt of the same owner gets `resumed`,
   * and the earlier attempt loses its reservation. Without a `lease`, or with another owner, no attempt gets it.
   *
   * @throws RangeError when `leaseSeconds` is not above 0
   */
  redeem(ref: KeyRef, attempt: string, lease?: Lease): Promise<RedeemOutcome>

  /**
   * Reads a reservation or a redemption for its owner. `undefined` for everybody else, and if the family is revoked.
   */
  recall(ref: KeyRef, ownerId: string): Promise<Recollection | undefined>

  /**
   * `redeeming -> redeemed`, for good, if `attempt` has the reservation. The store keeps the entry until the later of
   * both `retainUntil`, so that the family can be revoked as long as it lives.
   *
   * @throws RangeError when `retainUntil` is not a number
   */
  settle(ref: KeyRef, attempt: string, retainUntil: number, settlement?: Settlement): Promise<SettleOutcome>

  /**
   * `redeeming -> issued`, if `attempt` has the reservation.
   *
   * A resumed reservation stays with its owner instead, and its lease ends: an earlier attempt may have acted, so the
   * key must not be used for anything else. The same holds for any reservation with an owner if `hasActed` is true.
   */
  release(ref: KeyRef, attempt: string, hasActed?: boolean): Promise<ReleaseOutcome>

  /** `issued | redeeming -> revoked`. It competes with `settle`: a key is never both revoked and redeemed. */
  revoke(ref: KeyRef): Promise<RevokeOutcome>

  /** Marks the family of a redeemed key as revoked, and forgets its outcome. `unchanged`: it was revoked already. */
  revokeFamily(ref: KeyRef): Promise<RevokeFamilyOutcome>

  /**
   * Revokes all keys that were issued up to and including a second: of everybody, or of one identity as client or as
   * subject. The store writes one time, called a `notBefore`, and does not visit the entries. Every verb compares with
   * that time.
   *
   * A covered entry is in the state in which `revoke` or `revokeFamily` would leave it: `revoked`, also for an attempt
   * that is about to settle it; or redeemed with `familyRevoked`. It does not count as outstanding. A key that is
   * recorded afterwards is covered too, at least until `retainUntil`: `record` answers `revoked`. The time and its
   * `retainUntil` only ever move forward.
   *
   * A store on several machines writes the time everywhere, and then answers. A verb that is one script on the entries
   * of one client may read the times before the script, and pass them in. Such a verb may still pass if it began before
   * this verb answered. A later one must not, and it covers the entry that the first one left. Keep the time for the
   * longest retention that the store accepts, so that no entry outlives it.
   *
   * @returns `revoked`; or, with nothing changed: `unchanged` (the time was the same or later already), `full` (the store
   *   has the times of too many identities). The time for everybody always has room
   * @throws RangeError when `retainUntil` is past, or a time is not a number
   */
  revokeIssuedBefore(bound: IssuedBefore): Promise<RevokeIssuedOutcome>

  /**
   * Uses an identifier (of a proof or an assertion, hashed). It may be used once.
   *
   * With an `owner` the identifier also counts for its client, and for its key if there is one. A store may remember an
   * identifier for each client apart. Without an `owner` only the cap of the store counts.
   *
   * @param until the NumericDate after which the store may forget it
   * @returns `first` to exactly one of any number of concurrent calls for one owner, `used` to the others; or, with
   *   nothing changed: `limited` (the owner has too many that are still remembered), `full` (the store is at its cap)
   */
  useOnce(id: string, until: number, owner?: IdentifierOwner): Promise<UseOnceOutcome>
}

/**
 * How many keys may be recorded for a client: see `record`.
 *
 * @example
 * function hasPlace(keysOfClient: number, { outstanding }: RecordLimits): boolean {
 *   return keysOfClient < outstanding
 * }
 */
export interface RecordLimits {
  readonly outstanding: number
  readonly registeredBy?: string
}

/**
 * The owner of a reservation. After the lease it may resume a redemption that got stuck.
 *
 * @example
 * function leaseUntil({ leaseSeconds }: Lease): number {
 *   return Date.now() / 1000 + leaseSeconds
 * }
 */
export interface Lease {
  /** Names the owner and its purpose: ASCII text of at most 255 characters. */
  readonly ownerId: string
  /** After so many seconds (more than 0) the same owner, and nobody else, may resume the redemption. */
  readonly leaseSeconds: number
}

/**
 * The result of a redemption.
 *
 * @example
 * function columnsOf({ outcome, request, familyClientId }: Settlement = {}) {
 *   return { outcome: outcome ?? null, request: request ?? null, family_client_id: familyClientId ?? null }
 * }
 */
export interface Settlement {
  /**
   * The answer, encrypted: ASCII text. The store keeps it until the `retainUntil` of the record and no longer. A store
   * without room keeps the settlement without it.
   */
  readonly outcome?: string
  /**
   * Recognises the request, if it is sent again: ASCII text. It is kept as long as the entry, also without an outcome.
   */
  readonly request?: string
  /** The client that the redemption registered or changed. */
  readonly familyClientId?: string
}

/**
 * What the owner of a reservation may know of it.
 *
 * @example
 * function recollectionOf(row: { redemption: string; outcome: string | null }): Recollection {
 *   return { redemption: row.redemption, ...(row.outcome !== null && { outcome: row.outcome }) }
 * }
 */
export interface Recollection {
  /** The attempt that reserved the key first. It names the redemption, also after another attempt has resumed it. */
  readonly redemption: string
  /** The `outcome` of the settlement, if it is still kept. */
  readonly outcome?: string
  /** The `request` of the settlement. */
  readonly request?: string
}

/**
 * The keys that `revokeIssuedBefore` revokes. Times are NumericDates.
 *
 * @example
 * function covers({ identity, issuedBefore }: IssuedBefore, key: KeyRecord): boolean {
 *   return [undefined, key.clientId, key.subject].includes(identity) && key.issuedAt <= issuedBefore
 * }
 */
export interface IssuedBefore {
  /** Only entries with this `clientId` or `subject`. Without it: all entries of all clients. */
  readonly identity?: string
  /** Covers each entry whose `issuedAt` is not later, in seconds since the epoch. */
  readonly issuedBefore: number
  /** In seconds since the epoch, and at least until the last covered entry is forgotten. */
  readonly retainUntil: number
}

/**
 * Names for whom an identifier is remembered: a client, and the key it was presented with, if there was one.
 *
 * @example
 * function counterOf({ clientId, jti }: IdentifierOwner): string {
 *   return JSON.stringify(jti === undefined ? [clientId] : [clientId, jti])
 * }
 */
export interface IdentifierOwner {
  readonly clientId: string
  readonly jti?: string
  /** The client that registered this one. A store with a cap limits what all clients of one registrar have together. */
  readonly registeredBy?: string
}
