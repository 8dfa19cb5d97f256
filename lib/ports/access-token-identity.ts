import type { Confirmation } from './key-record.js'

/**
 * The client and the terms of an access token: the most that key and policy allow.
 *
 * @example
 * function bodyFor({ subject, scope, audience, lifetimeSeconds, confirmation }: AccessTokenIdentity) {
 *   const terms = { scope: scope.join(' '), audience, expires_in: lifetimeSeconds }
 *   return JSON.stringify({ sub: subject, ...terms, cnf: confirmation })
 * }
 */
export interface AccessTokenIdentity {
  /** The client of the token: the provisioned identity. Never the client that merely asked for the key. */
  readonly clientId: string
  /** The same, as the `sub` of the token (RFC 9068 2.2). */
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly lifetimeSeconds: number
  /** The `jti` of the redeemed key: the name of the token's family in events. */
  readonly keyId: string
  /** Names the redemption, for idempotence. An attempt that continues an interrupted one has the same name. */
  readonly redemptionId: string
  /** The client that asked for the key. */
  readonly keyClientId: string
  /** The binding that the token must have: its `cnf` (RFC 9449 6.1, RFC 8705 3.1). */
  readonly confirmation?: Confirmation
  readonly environment?: string
}

/**
 * The access token that the host's own authorization server issued.
 *
 * @example
 * function issued(answer: { access_token: string; expires_in: number }): IssuedAccessToken {
 *   return { accessToken: answer.access_token, expiresIn: answer.expires_in }
 * }
 */
export interface IssuedAccessToken {
  readonly accessToken: string
  /** In seconds, at most `lifetimeSeconds`. */
  readonly expiresIn: number
  /** A list, or space-delimited. Default: the requested scope. */
  readonly scope?: string | readonly string[]
  /** Default: `DPoP` for a token bound to a DPoP key, else `Bearer`. */
  readonly tokenType?: string
  /** Default: `urn:ietf:params:oauth:token-type:access_token`. */
  readonly issuedTokenType?: string
}

/**
 * Issues an access token elsewhere. On a timeout the signal is aborted, and the key is released.
 *
 * @example
 * const issueAccessToken: IssueAccessToken = async ({ redemptionId, ...terms }, { signal }) => {
 *   const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': redemptionId }
 *   const request = { method: 'POST', headers, body: JSON.stringify(terms), signal }
 *   const response = await fetch('https://as.example.com/internal/tokens', request)
 *   return (await response.json()) as IssuedAccessToken
 * }
 */
export type IssueAccessToken = (
  identity: AccessTokenIdentity,
  context: { readonly signal: AbortSignal },
) => IssuedAccessToken | Promise<IssuedAccessToken>

/** The same, with the time limit from the options. */
export type IssueInTime = (identity: AccessTokenIdentity) => Promise<unknown>
