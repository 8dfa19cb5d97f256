import jsonwebtoken from 'jsonwebtoken'
import { type Claims, isSignedWith, kidOf, type ParsedJws } from './jws.js'
import type { ActiveKey, SigningKey, VerificationKeys } from './key-ring.js'
import type { Failure } from './signed-token.js'

/**
 * Signs claims. They must have an `iat`, because jsonwebtoken would otherwise add the system time.
 *
 * The members of the header stay in this order: `alg`, `typ`, `kid`. Secret scanners find keys by the text of the header.
 */
export function signJwt(
  claims: Claims,
  key: Pick<ActiveKey, 'kid' | 'alg' | 'privateKey'>,
  typ: string,
): string {
  const header = { alg: key.alg, typ, kid: key.kid }
  return jsonwebtoken.sign(claims, key.privateKey, { algorithm: key.alg, header })
}

/**
 * Fetches the key that a JWT names, if another process has the keys. Returns `undefined` if there is nothing to wait for.
 *
 * @throws ProvisioningError `signing_keys_unavailable`
 */
export function loadKey(keys: VerificationKeys, token: string): Promise<void> | undefined {
  return keys.load?.(kidOf(token))
}

/** Why a key, which the `kid` names, has not signed a token. */
export function signatureFailure(token: ParsedJws, key: SigningKey | undefined): Failure | undefined {
  const { kid, alg } = token.header
  if (kid !== undefined && typeof kid !== 'string') return ['signer', 'has a kid that is not a string']
  if (key === undefined) return ['signer', 'has a kid that no known key has']
  // RFC 8725 3.1: the key decides on the algorithm, never the header.
  if (alg !== key.alg) return ['algorithm', `has an alg other than ${key.alg}`]
  if (!isSignedWith(token, key.alg, key.publicKey)) return ['signature', 'has a wrong signature']
  return retirementFailure(key, token.claims)
}

/** A retired key does not sign. So a token with a later `iat` was signed by a thief. */
export function retirementFailure({ lastIssuedAt }: SigningKey, claims: Claims = {}): Failure | undefined {
  const { iat } = claims
  if (lastIssuedAt === undefined || typeof iat !== 'number' || iat <= lastIssuedAt) return undefined
  return ['retired', 'claims to be signed after its signing key was retired']
}
