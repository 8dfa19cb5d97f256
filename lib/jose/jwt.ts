import jsonwebtoken from 'jsonwebtoken'
import { type Claims, isSignedWith, kidOf } from './jws.js'
import type { ActiveKey, SigningKey, VerificationKeys } from './key-ring.js'
import type { CheckSignature, Failure } from './signed-token.js'

/** Signs claims. They must have an `iat`, because jsonwebtoken would otherwise add the system time. */
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

/**
 * Makes the check that one of our keys has signed a token.
 *
 * @param keyFor finds the key that a `kid` names
 */
export function signedByKey(keyFor: (kid: string | undefined) => SigningKey | undefined): CheckSignature {
  return (token) => {
    const { header, claims } = token
    const { kid, alg } = header
    if (kid !== undefined && typeof kid !== 'string') return ['signer', 'has a kid that is not a string']
    const key = keyFor(kid)
    if (key === undefined) return ['signer', 'has a kid that no known key has']
    // RFC 8725 3.1: the key decides on the algorithm, never the header.
    if (alg !== key.alg) return ['algorithm', `has an alg other than ${key.alg}`]
    const verify = () => isSignedWith(token, key.alg, key.publicKey)
    const isGood = key.verifiedTokens?.isVerified(token.text, verify) ?? verify()
    if (!isGood) return ['signature', 'has a wrong signature']
    return retirementFailure(key, claims)
  }
}

/** A retired key does not sign. So a token with a later `iat` was signed by a thief. */
function retirementFailure({ lastIssuedAt }: SigningKey, { iat }: Claims = {}): Failure | undefined {
  if (lastIssuedAt === undefined || typeof iat !== 'number' || iat <= lastIssuedAt) return undefined
  return ['retired', 'claims to be signed after its signing key was retired']
}
