import type { Confirmation, KeyRef } from '../stores/store.js'
import { asking, type Deployment, numericDate } from './deployment.js'
import { ProvisioningError } from './errors.js'
import type { Claims } from './jws.js'
import { signJwt, verifyJwt } from './jwt.js'
import { randomId, type VerifiedKey } from './provisioning-key.js'

/** RFC 9068 2.1. */
const ACCESS_TOKEN_TYPE = 'at+jwt'

/** The claims of an initial access token (RFC 9068 2.2). */
export interface AccessTokenClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly client_id: string
  readonly scope: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  /** The `jti` of the provisioning key it was redeemed for: the name of its family. */
  readonly key_id: string
  /** The client the key was issued to, under which the store knows the family. */
  readonly key_client_id: string
  /** What the token is bound to (RFC 9449 6.1). */
  readonly cnf?: Confirmation
}

export interface AccessTokenTerms {
  readonly audience: string
  readonly scope: readonly string[]
  readonly lifetimeSeconds: number
  readonly confirmation: Confirmation | undefined
}

/** Mints the initial access token that a key is redeemed for. The token's client is the key's subject. */
export function mintAccessToken(deployment: Deployment, key: VerifiedKey, terms: AccessTokenTerms) {
  const issuedAt = numericDate(deployment)
  const claims: AccessTokenClaims = {
    iss: deployment.issuer,
    aud: terms.audience,
    sub: key.subject,
    client_id: key.subject,
    scope: terms.scope.join(' '),
    iat: issuedAt,
    exp: issuedAt + terms.lifetimeSeconds,
    jti: randomId(),
    key_id: key.jti,
    key_client_id: key.clientId,
    ...(terms.confirmation && { cnf: terms.confirmation }),
  }
  return { token: signJwt({ ...claims }, deployment.keyRing.active(), ACCESS_TOKEN_TYPE), claims }
}

/**
 * Reads an initial access token of this deployment: form, signature, claims and time.
 *
 * @throws ProvisioningError those of `verifyJwt`, and `claims_malformed`, `issuer_wrong`, `key_expired`
 */
export function readAccessToken(deployment: Deployment, token: string): AccessTokenClaims {
  const claims = verifyJwt(token, { typ: ACCESS_TOKEN_TYPE, keyFor: (kid) => deployment.keyRing.find(kid) })
  if (!isAccessTokenClaims(claims)) {
    throw new ProvisioningError(
      'claims_malformed',
      'A claim of the access token is missing or of a wrong type.',
    )
  }
  if (claims.iss !== deployment.issuer)
    throw new ProvisioningError('issuer_wrong', 'The access token is not ours.')
  if (numericDate(deployment) >= claims.exp)
    throw new ProvisioningError('key_expired', 'The access token has expired.')
  return claims
}

/** Whether the family that an access token belongs to is alive: its key redeemed, and not revoked since. */
export async function isFamilyAlive(deployment: Deployment, family: KeyRef): Promise<boolean> {
  const entry = await asking(() => deployment.store.find(family))
  return entry?.state === 'redeemed' && !entry.familyRevoked
}

const STRING_CLAIMS = ['iss', 'aud', 'sub', 'client_id', 'scope', 'jti', 'key_id', 'key_client_id']

function isAccessTokenClaims(claims: Claims): claims is Claims & AccessTokenClaims {
  return (
    STRING_CLAIMS.every((name) => typeof claims[name] === 'string') &&
    [claims.iat, claims.exp].every((time) => Number.isSafeInteger(time))
  )
}
