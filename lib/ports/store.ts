/** Names one key: the client that asked for it and the key's `jti`. Both are identifiers, never key material. */
export interface KeyRef {
  readonly clientId: string
  readonly jti: string
}

/** What the store keeps of an issued key. Never the key itself. All times are NumericDates (seconds). */
export interface KeyRecord extends KeyRef {
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** The entry must be found until then: `expiresAt` plus the clock tolerance of the verifier. */
  readonly retainUntil: number
  /** What the key is bound to, when it is sender-constrained. */
  readonly confirmation?: Confirmation
}

/** The `cnf` claim: what a key is bound to (RFC 7800 3.1). At least one of its members is there. */
export interface Confirmation {
  /** RFC 7638 thumbprint of a DPoP key (RFC 9449 6.1). */
  readonly jkt?: string
  /** SHA-256 thumbprint of a client certificate (RFC 8705 3.1). */
  readonly 'x5t#S256'?: string
}

/** `issued -> redeeming -> redeemed`, or `revoked`; `redeeming` may fall back to `issued`. */
export type KeyState = 'issued' | 'redeeming' | 'redeemed' | 'revoked'

/** A record and what has become of it. */
export interface KeyEntry extends KeyRecord {
  readonly state: KeyState
  /**
   * When the key came into this state, by the clock of the caller that moved it; `issuedAt` for a key that nobody has
   * moved. A watermark that covers the key does not change it.
   */
  readonly changedAt: number
  /** When an attempt reserved the key for the first time, by the clock of its caller. A release does not change it. */
  readonly reservedAt?: number
  /** Whether what the key's redemption brought forth (its family) has been revoked. */
  readonly familyRevoked: boolean
  /** The client that the redemption brought forth or changed, when it did. */
  readonly familyClientId?: string
}

/** On whose behalf an attempt claims a key: who has proven to hold something may try again where it got stuck. */
export interface Lease {
  /** Names what the holder has proven to hold: ASCII text of at most 255 characters. */
  readonly ownerId: string
  /** After that many seconds (more than 0) the same holder, and nobody else, may take the claim over. */
  readonly leaseSeconds: number
}

/** What is kept of a redemption beside that it took place. */
export interface Settlement {
  /**
   * What was answered, sealed: ASCII text. It is kept until the record's own `retainUntil` and no longer, whatever
   * the entry's becomes; a store that has no room for it keeps the settlement without it.
   */
  readonly outcome?: string
  /** Recognises the request, if it is sent again: ASCII text. It is kept as long as the entry, also without an outcome. */
  readonly request?: string
  /** The client that the redemption brought forth or changed. */
  readonly familyClientId?: string
}

/** What the holder of a claim may know of it. */
export interface Recollection {
  /** The attempt that claimed the key first; it names the redemption, whoever takes its claim over. */
  readonly redemption: string
  /** What the redemption was settled with, if it was and that is still kept. */
  readonly outcome?: string
  readonly request?: string
}

/** What `revokeIssuedBefore` revokes. Times are NumericDates. */
export interface IssuedBefore {
  /** Only entries whose `clientId` or `subject` this is. Without it: all entries of all clients. */
  readonly identity?: string
  /** An entry is covered when its `issuedAt` is not later. */
  readonly issuedBefore: number
  /** No earlier than when the last entry that could be covered is forgotten. */
  readonly retainUntil: number
}

/**
 * The port behind which the state of keys lives.
 *
 * Every verb is one atomic operation that answers what happened; no verb may be built from a read followed by a
 * write that others can get between. An entry is found up to and including its `retainUntil`, and is `unknown` to
 * every verb after it. A store that cannot answer rejects; the caller then refuses with 503 and never lets anything
 * pass.
 */
export interface ProvisioningStore {
  /**
   * Records a key as `issued`.
   *
   * @param limits.outstanding how many keys of one client may be `issued` or `redeeming` at once
   * @param limits.registeredBy the client that registered this one. A store with a cap keeps half of it free of all
   *   clients that one client has registered
   * @returns `recorded`; or, with nothing changed: `duplicate` (the `jti` is known), `revoked` (it
   *   was covered by `revokeIssuedBefore` before it came), `outstanding` (the client, or all clients of its
   *   registrar, have too many), `full` (the store
   *   is at its cap; nothing live is ever evicted)
   * @throws RangeError when `retainUntil` is past or no number: a record that is gone at once would re-open replay
   */
  record(key: KeyRecord, limits: RecordLimits): Promise<RecordOutcome>

  /** Reads an entry; `undefined` when there is none. For reading only: never decide a move from it. */
  find(ref: KeyRef): Promise<KeyEntry | undefined>

  /**
   * `issued -> redeeming` for one attempt. Of any number of concurrent calls exactly one is told `claimed`.
   *
   * A claim with a `holding` has a lease. Once it is over, an attempt with the same `holder` takes the claim over, and
   * the earlier attempt has lost it: of any number of concurrent ones exactly one is told `resumed`. Without a
   * `holding`, or with another holder, nobody ever does.
   *
   * @throws RangeError when `leaseSeconds` is not above 0
   */
  redeem(ref: KeyRef, attempt: string, holding?: Lease): Promise<RedeemOutcome>

  /**
   * What is kept of a claim, or of the redemption that it became, for the holder that claimed it; `undefined` to
   * everybody else, and when the family has been revoked. For reading only.
   */
  recall(ref: KeyRef, holder: string): Promise<Recollection | undefined>

  /**
   * `redeeming -> redeemed`, for good, if `attempt` holds the claim. The entry is kept until
   * `retainUntil` or its own, whichever is later, so that its family can be revoked while it lives.
   *
   * @throws RangeError when `retainUntil` is no number
   */
  settle(ref: KeyRef, attempt: string, retainUntil: number, settlement?: Settlement): Promise<SettleOutcome>

  /**
   * `redeeming -> issued`, if `attempt` holds the claim. A claim that it had taken over stays with the holder instead,
   * its lease over: an attempt before may have acted, so whoever goes on does it for the same redemption. So does any
   * claim with a holder when the attempt `hasActed` itself.
   */
  release(ref: KeyRef, attempt: string, hasActed?: boolean): Promise<ReleaseOutcome>

  /** `issued | redeeming -> revoked`. Competes with `settle` for the same move: a key is never both. */
  revoke(ref: KeyRef): Promise<RevokeOutcome>

  /** Marks what a redeemed key brought forth as revoked, and forgets its outcome. `unchanged` when it was already. */
  revokeFamily(ref: KeyRef): Promise<RevokeFamilyOutcome>

  /**
   * Revokes at once whatever was issued up to and including a second: of everybody, or of one identity as client or
   * as subject. A watermark, that every verb looks at, and no walk over the entries.
   *
   * Each covered entry stands as `revoke` or `revokeFamily` would leave it: `revoked`, also to one who is about to
   * settle it; or, when it is redeemed, with `familyRevoked`. It stays so for as long as it is kept, and it does not
   * count as outstanding. What comes to be recorded afterwards is covered as well, up to `retainUntil` at least: a
   * key that is being minted at that moment is not recorded, and `record` says `revoked`. A watermark only ever moves
   * forward, and so does its `retainUntil`.
   *
   * For a store on several machines: write the watermark, then answer. A verb that is one script on the entries of
   * one client may read the watermarks before it, outside the script, and hand them in. One that had read them when
   * this verb answered may then still pass, as if it had been first; none that begins later does, and what such a
   * `record` or `settle` left behind is covered by every verb after it. So that no entry outlives its watermark, keep
   * it for the longest retention that the store accepts.
   *
   * @returns `unchanged` when the watermark stood there, or later, already
   * @throws RangeError when `retainUntil` is past, or a time is no number; Error when the store is at its cap of
   *   identities, with nothing changed
   */
  revokeIssuedBefore(bound: IssuedBefore): Promise<RevokeIssuedOutcome>

  /**
   * Uses an identifier (of a proof or an assertion, hashed) for the one time it may be used.
   *
   * With an `owner` the identifier also counts for its client, and for its key if there is one. A store may remember an
   * identifier for each client apart. Without an `owner` only the cap of the store counts.
   *
   * @param until the NumericDate after which it may be forgotten
   * @returns `first` to exactly one of any number of concurrent calls for one owner, `used` to the others; or, with
   *   nothing changed: `limited` (the owner has too many that are still remembered), `full` (the store is at its cap)
   */
  useOnce(id: string, until: number, owner?: IdentifierOwner): Promise<UseOnceOutcome>
}

/** How many keys may be recorded for a client: see `record`. */
export interface RecordLimits {
  readonly outstanding: number
  readonly registeredBy?: string
}

/** Names for whom an identifier is remembered: a client, and the key it was presented with, if there was one. */
export interface IdentifierOwner {
  readonly clientId: string
  readonly jti?: string
  /** The client that registered this one. A store with a cap limits what all clients of one registrar have together. */
  readonly registeredBy?: string
}

export type UseOnceOutcome = 'first' | 'used' | 'limited' | 'full'

export type RecordOutcome = 'recorded' | 'duplicate' | 'revoked' | 'outstanding' | 'full'
/** `resumed`: claimed by the same holder before, whose lease is over. */
export type RedeemOutcome = 'reserved' | 'resumed' | 'redeeming' | 'redeemed' | 'revoked' | 'unknown'
/** `lost`: the claim is not (or no longer) this attempt's. */
export type SettleOutcome = 'settled' | 'lost' | 'revoked' | 'unknown'
export type ReleaseOutcome = 'released' | 'lost' | 'revoked' | 'unknown'
/** `unchanged`: it was revoked already. `redeemed`: too late, the key has been redeemed. */
export type RevokeOutcome = 'revoked' | 'unchanged' | 'redeemed' | 'unknown'
export type RevokeIssuedOutcome = 'revoked' | 'unchanged'
/** `not_redeemed`: there is no family yet. */
export type RevokeFamilyOutcome = 'revoked' | 'unchanged' | 'not_redeemed' | 'unknown'
