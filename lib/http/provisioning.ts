import type { Request } from 'express'
import { ConfigurationError } from '../base/errors.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'

/** The validated identity behind a provisioning key. Extend it by declaration merging. It holds no key material. */
export interface Provisioning {
  /** The client that asked for the key. */
  readonly clientId: string
  /** The identity that is to be provisioned; equals `clientId` unless the client asked for another. */
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly issuer: string
  /** The `jti`: the key's one name in logs, events and stores. */
  readonly keyId: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly environment?: string
  /** Thumbprint of the DPoP key the provisioning key is bound to; its holder has proven to hold it. */
  readonly proofKeyThumbprint?: string
  /** SHA-256 thumbprint of the client certificate the key is bound to; it is that of the connection. */
  readonly certificateThumbprint?: string
  /**
   * Aborted when the connection breaks before an answer, or when the key is revoked or expires. After a broken
   * connection, a failure of a handler that answers by `res` gives the key back only if you have read this. Only behind
   * `redeemProvisioningKey()`.
   */
  readonly signal?: AbortSignal
  /**
   * Names this redemption: an idempotency key for what the handler does elsewhere. An attempt that goes on where another
   * was interrupted has the same; one after a release has another. Only behind `redeemProvisioningKey()`.
   */
  readonly redemptionId?: string
}

declare global {
  // Express keeps its types for merging in this namespace; there is no other way to extend its Request.
  namespace Express {
    interface Request {
      /** Who presented a provisioning key; set by `requireProvisioningKey()` and `redeemProvisioningKey()`. */
      provisioning?: Provisioning
    }
  }
}

/** Attaches the identity to the request, frozen and fixed. */
export function attachProvisioning(
  req: Request,
  key: VerifiedKey,
  redeeming?: { readonly redemptionId: string; readonly signal: () => AbortSignal },
): void {
  const { clientId, subject, scope, audience, issuer, jti } = key
  const provisioning: Provisioning = {
    clientId,
    subject,
    scope,
    audience,
    issuer,
    keyId: jti,
    ...circumstances(key),
    ...(redeeming && { redemptionId: redeeming.redemptionId }),
  }
  // Who reads it takes over a decision, so a logger that copies all members must not.
  if (redeeming) Object.defineProperty(provisioning, 'signal', { get: redeeming.signal })
  Object.freeze(provisioning)
  fix(req, 'provisioning', provisioning)
}

/** When and where what was presented is good, and what its holder has proven to hold. */
export function circumstances({
  issuedAt,
  expiresAt,
  environment,
  confirmation = {},
}: Pick<VerifiedKey, 'issuedAt' | 'expiresAt' | 'environment' | 'confirmation'>) {
  const { jkt, 'x5t#S256': certificateThumbprint } = confirmation
  return {
    issuedAt: new Date(issuedAt * 1000),
    expiresAt: new Date(expiresAt * 1000),
    ...(environment !== undefined && { environment }),
    ...(jkt !== undefined && { proofKeyThumbprint: jkt }),
    ...(certificateThumbprint !== undefined && { certificateThumbprint }),
  }
}

/** Puts an identity on a request so that no assignment can replace it. */
export function fix(req: Request, name: 'provisioning' | 'accessToken', value: object): void {
  Object.defineProperty(req, name, { value, enumerable: true, configurable: true })
}

/**
 * The identity behind the request's key.
 *
 * @throws ConfigurationError when no middleware of ours has verified one: the route is not guarded
 */
export function getProvisioning(req: Request): Provisioning {
  if (req.provisioning !== undefined) return req.provisioning
  throw new ConfigurationError([
    'req.provisioning: expected a verified identity, got undefined; put requireProvisioningKey() or ' +
      'redeemProvisioningKey() before this handler',
  ])
}
