import type { Request } from 'express'
import { ConfigurationError } from '../base/errors.js'
import type { VerifiedAccessToken } from '../tokens/access-verification.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'

/** What the identities behind a key and behind an access token have in common. */
interface PresentedIdentity {
  readonly scope: readonly string[]
  readonly audience: string
  readonly issuer: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly environment?: string
  /** Thumbprint of the DPoP key that the key or token is bound to. The client has proven possession of it. */
  readonly proofKeyThumbprint?: string
  /** SHA-256 thumbprint of the client certificate that it is bound to. The connection has this certificate. */
  readonly certificateThumbprint?: string
}

/**
 * The validated identity behind a provisioning key. Extend it by declaration merging. It holds no key material.
 *
 * @example
 * function nameOf({ subject, keyId }: Provisioning): string {
 *   return `${subject} (key ${keyId})`
 * }
 */
export interface Provisioning extends PresentedIdentity {
  /** The client that asked for the key. */
  readonly clientId: string
  /** The identity to provision. It equals `clientId` unless the client asked for another. */
  readonly subject: string
  /** The `jti`: the name of the key in logs, events and stores. */
  readonly keyId: string
  /**
   * Aborted when the connection breaks before an answer, or when the key is revoked or expires. After a broken
   * connection, a failure of a handler that answers by `res` gives the key back only if you have read this. Only behind
   * `redeemProvisioningKey()`.
   */
  readonly signal?: AbortSignal
  /**
   * Names this redemption. Use it as an idempotency key for calls to other services. An attempt that resumes an
   * interrupted one has the same name; an attempt after a release has another. Only behind `redeemProvisioningKey()`.
   */
  readonly redemptionId?: string
}

/**
 * The validated identity behind an access token. Extend it by declaration merging. It holds no token material.
 *
 * @example
 * function nameOf({ subject, tokenId }: AccessTokenInfo): string {
 *   return `${subject} (token ${tokenId})`
 * }
 */
export interface AccessTokenInfo extends PresentedIdentity {
  /** The client of the token: the identity that was provisioned. */
  readonly clientId: string
  readonly subject: string
  /** The `jti` of the token. */
  readonly tokenId: string
  /** The `jti` of the provisioning key that was redeemed for it: the name of its family. */
  readonly keyId: string
}

declare global {
  // Express keeps its types for merging in this namespace; there is no other way to extend its Request.
  namespace Express {
    interface Request {
      /** The identity behind the key. `requireProvisioningKey()` and `redeemProvisioningKey()` set it. */
      provisioning?: Provisioning
      /** The identity behind the access token. `requireAccessToken()` sets it. */
      accessToken?: AccessTokenInfo
    }
  }
}

/** Attaches the identity to the request, frozen and fixed. */
export function attachProvisioning(
  req: Request,
  key: VerifiedKey,
  redeeming?: { readonly redemptionId: string; readonly signal: () => AbortSignal },
): void {
  const { clientId, subject, scope, audience, issuer, jti: keyId } = key
  // One literal, because to merge several takes 1 us.
  const provisioning: Provisioning = {
    clientId,
    subject,
    scope,
    audience,
    issuer,
    keyId,
    issuedAt: dateOf(key.issuedAt),
    expiresAt: dateOf(key.expiresAt),
  }
  addCircumstances(provisioning, key)
  if (redeeming) {
    Object.assign(provisioning, { redemptionId: redeeming.redemptionId })
    // Reading `signal` changes how a failure is settled. Not enumerable, so that a logger does not read it by accident.
    Object.defineProperty(provisioning, 'signal', { get: redeeming.signal })
  }
  fix(req, 'provisioning', Object.freeze(provisioning))
}

function dateOf(seconds: number): Date {
  return new Date(seconds * 1000)
}

/** Adds the environment and the proven possession of a key or token to its identity. */
function addCircumstances(
  identity: { -readonly [K in keyof PresentedIdentity]: PresentedIdentity[K] },
  { environment, confirmation }: Pick<VerifiedKey, 'environment' | 'confirmation'>,
): void {
  if (environment !== undefined) identity.environment = environment
  if (confirmation === undefined) return
  const { jkt, 'x5t#S256': certificateThumbprint } = confirmation
  if (jkt !== undefined) identity.proofKeyThumbprint = jkt
  if (certificateThumbprint !== undefined) identity.certificateThumbprint = certificateThumbprint
}

/** Puts an identity on a request so that no assignment can replace it. */
function fix(req: Request, name: 'provisioning' | 'accessToken', value: object): void {
  Object.defineProperty(req, name, { value, enumerable: true, configurable: true })
}

/**
 * The identity behind the request's key.
 *
 * @throws ConfigurationError when no middleware of ours has verified one: the route is not guarded
 *
 * @example
 * app.get('/whoami', keys.requireProvisioningKey({ scope: 'devices:read' }), (req, res) => {
 *   res.json({ device: getProvisioning(req).subject })
 * })
 */
export function getProvisioning(req: Request): Provisioning {
  if (req.provisioning !== undefined) return req.provisioning
  throw new ConfigurationError([
    'req.provisioning: expected a verified identity, got undefined; put requireProvisioningKey() or ' +
      'redeemProvisioningKey() before this handler',
  ])
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
