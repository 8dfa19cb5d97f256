import type { Confirmation } from './store.js'

/** Who an access token is to be for, and on which terms: the most that key and policy allow. */
export interface AccessTokenIdentity {
  /** The client of the token: the identity that is provisioned. Never the one that merely asked for its key. */
  readonly clientId: string
  /** The same, as the `sub` of the token (RFC 9068 2.2). */
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly lifetimeSeconds: number
  /** The `jti` of the key that is redeemed: the name of the token's family in events. */
  readonly keyId: string
  /** Names the redemption, for idempotence: the same for an attempt that goes on where another was interrupted. */
  readonly redemptionId: string
  /** The client that asked for the key. */
  readonly keyClientId: string
  /** What the token must be bound to: its `cnf` (RFC 9449 6.1, RFC 8705 3.1). */
  readonly confirmation?: Confirmation
  readonly environment?: string
}

/** The access token that the host's own authorization server issued. */
export interface IssuedAccessToken {
  readonly accessToken: string
  /** In seconds, at most `lifetimeSeconds`. */
  readonly expiresIn: number
  /** A list, or space-delimited. Default: the scope that was asked for. */
  readonly scope?: string | readonly string[]
  /** Default: `DPoP` for a token bound to a DPoP key, else `Bearer`. */
  readonly tokenType?: string
  /** Default: `urn:ietf:params:oauth:token-type:access_token`. */
  readonly issuedTokenType?: string
}

/** Issues an access token elsewhere. The signal is aborted when it has taken too long: the key is released then. */
export type IssueAccessToken = (
  identity: AccessTokenIdentity,
  context: { readonly signal: AbortSignal },
) => IssuedAccessToken | Promise<IssuedAccessToken>

/** The same, once options have given it its time limit. */
export type IssueInTime = (identity: AccessTokenIdentity) => Promise<unknown>
