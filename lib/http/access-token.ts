import type { Request } from 'express'
import { ConfigurationError } from '../base/errors.js'
import type { VerifiedAccessToken } from '../tokens/access-verification.js'
import { addCircumstances, dateOf, fix } from './provisioning.js'

/**
 * The validated identity behind an access token. Extend it by declaration merging. It holds no token material.
 *
 * @example
 * function nameOf({ subject, tokenId }: AccessTokenInfo): string {
 *   return `${subject} (token ${tokenId})`
 * }
 */
export interface AccessTokenInfo {
  /** The client of the token: the identity that was provisioned. */
  readonly clientId: string
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly issuer: string
  /** The `jti` of the token. */
  readonly tokenId: string
  /** The `jti` of the provisioning key that was redeemed for it: the name of its family. */
  readonly keyId: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly environment?: string
  /** Thumbprint of the DPoP key that the token is bound to. The client has proven possession of it. */
  readonly proofKeyThumbprint?: string
  /** SHA-256 thumbprint of the client certificate that the token is bound to. The connection has this certificate. */
  readonly certificateThumbprint?: string
}

declare global {
  // Express keeps its types for merging in this namespace; there is no other way to extend its Request.
  namespace Express {
    interface Request {
      /** The identity behind the access token. `requireAccessToken()` sets it. */
      accessToken?: AccessTokenInfo
    }
  }
}

/** Attaches the identity to the request, frozen and fixed. */
export function attachAccessToken(req: Request, token: VerifiedAccessToken): void {
  const { clientId, subject, scope, audience, issuer, jti: tokenId, keyId } = token
  const names = { clientId, subject, scope, audience, issuer, tokenId, keyId }
  const times = { issuedAt: dateOf(token.issuedAt), expiresAt: dateOf(token.expiresAt) }
  const provisioned: AccessTokenInfo = { ...names, ...times }
  addCircumstances(provisioned, token)
  fix(req, 'accessToken', Object.freeze(provisioned))
}

/**
 * The identity behind the request's access token.
 *
 * @throws ConfigurationError when no middleware of ours has verified one: the route is not guarded
 *
 * @example
 * app.get('/config', keys.requireAccessToken({ scope: 'config:read' }), (req, res) => {
 *   res.json({ device: getAccessToken(req).subject })
 * })
 */
export function getAccessToken(req: Request): AccessTokenInfo {
  if (req.accessToken !== undefined) return req.accessToken
  throw new ConfigurationError([
    'req.accessToken: expected a verified identity, got undefined; put requireAccessToken() before this handler',
  ])
}
