import type { Lock } from './lock.js'

/**
 * Names one key: the client that asked for it and the key's `jti`. Both are identifiers, never key material.
 *
 * @example
 * async function isRedeemed(store: ProvisioningStore, ref: KeyRef): Promise<boolean> {
 *   return (await store.find(ref))?.state === 'redeemed'
 * }
 */
export interface KeyRef {
  readonly clientId: string
  readonly jti: string
}

/**
 * The record of an issued key, without the key itself. All times are NumericDates (seconds).
 *
 * @example
 * function rowOf({ clientId, jti, scope, ...terms }: KeyRecord) {
 *   return { client_id: clientId, jti, scope: scope.join(' '), terms: JSON.stringify(terms) }
 * }
 */
export interface KeyRecord extends KeyRef {
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  /** In seconds since the epoch. */
  readonly issuedAt: number
  /** In seconds since the epoch. */
  readonly expiresAt: number
  /** When the store forgets the entry, in seconds since the epoch: `expiresAt` plus the clock tolerance of the verifier. */
  readonly retainUntil: number
  /** What the key is bound to, if it is sender-constrained. */
  readonly confirmation?: Confirmation
  /** A digest of the networks (`cidr`) and the `ancestors` in the key, if it has any. A forged key has another one. */
  readonly claimsDigest?: string
  /** The network of the request that the key was issued to, such as `192.0.2.0/24`. */
  readonly issuedTo?: string
  /** A digest of the `User-Agent` of that request. */
  readonly issuedToAgent?: string
}

/**
 * The `cnf` claim: what a key is bound to (RFC 7800 3.1). At least one of its members is there.
 *
 * @example
 * function label({ jkt, 'x5t#S256': certificate }: Confirmation): string {
 *   return jkt === undefined ? `certificate ${certificate}` : `DPoP key ${jkt}`
 * }
 */
export interface Confirmation {
  /** RFC 7638 thumbprint of a DPoP key (RFC 9449 6.1). */
  readonly jkt?: string
  /** SHA-256 thumbprint of a client certificate (RFC 8705 3.1). */
  readonly 'x5t#S256'?: string
}

export const KEY_STATES = Object.freeze(['issued', 'redeeming', 'redeemed', 'revoked'] as const)

/**
 * The state of a key: `issued -> redeeming -> redeemed`, or `revoked`. A `redeeming` key may go back to `issued`.
 *
 * @example
 * const outstanding: readonly KeyState[] = ['issued', 'redeeming']
 */
export type KeyState = (typeof KEY_STATES)[number]

/**
 * A record and its state.
 *
 * @example
 * function hasFamily({ state, familyRevoked }: KeyEntry): boolean {
 *   return state === 'redeemed' && !familyRevoked
 * }
 */
export interface KeyEntry extends KeyRecord {
  readonly state: KeyState
  /**
   * When the key came into this state, in seconds since the epoch, by the clock of the caller; at first `issuedAt`.
   * `revokeIssuedBefore` does not change it.
   */
  readonly changedAt: number
  /**
   * When the key was reserved for the first time, in seconds since the epoch, by the clock of the caller. A release does
   * not change it.
   */
  readonly reservedAt?: number
  /** Whether the results of the redemption (the family of the key) are revoked. */
  readonly familyRevoked: boolean
  /** The client that the redemption registered or changed, if it did. */
  readonly familyClientId?: string
  /** The networks that the key was presented from: see `notePresentation`. */
  readonly networks?: readonly string[]
  /**
   * The lock of the client or the subject of the key. If both are locked: the stronger one, or else the longer one,
   * or else that of the client.
   */
  readonly lock?: Lock
}
