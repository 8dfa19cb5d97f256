import { isObject } from '../base/object.js'
import { algorithmsFor, importPublicJwk, isForVerification, isPrivateJwk } from './jwk.js'
import { type Claims, KID } from './jws.js'
import type { SigningKey } from './key-ring.js'
import { VerifiedTokens } from './verified-tokens.js'

/** A larger set is refused before any of its keys is read. */
const MOST_KEYS = 32

/**
 * Reads the keys of a JWK Set (RFC 7517 5) that can verify signatures, each by its `kid`. Other keys are ignored, as the
 * RFC says. A fault is returned as text.
 *
 * A set with a private or symmetric key is refused, because everybody who can read the set could sign with that key.
 */
export function readJwkSet(value: unknown): ReadonlyMap<string, SigningKey> | string {
  const keys = isObject(value) ? value.keys : undefined
  if (!Array.isArray(keys)) return 'it is not a JWK Set'
  if (keys.length > MOST_KEYS) return `it has more than ${MOST_KEYS} keys`
  const jwks = keys.filter(isObject)
  if (jwks.some(isPrivateJwk)) return 'it holds private or symmetric keys'
  const usable = jwks.flatMap((jwk) => readKey(jwk) ?? [])
  const byKid = new Map(usable.map((key) => [key.kid, key]))
  return byKid.size === usable.length ? byKid : 'two of its keys have the same kid'
}

/** Reads a key if it has a name, is for signatures, and fits its algorithm (RFC 7517 4.2 to 4.5). */
function readKey(jwk: Claims): SigningKey | undefined {
  const { kid, alg } = jwk
  if (!(typeof kid === 'string' && KID.test(kid) && isForVerification(jwk))) return undefined
  const publicKey = importPublicJwk(jwk)
  if (typeof publicKey === 'string') return undefined
  const possible = algorithmsFor(publicKey)
  const own = alg === undefined ? possible[0] : possible.find((one) => one === alg)
  return own && Object.freeze({ kid, alg: own, publicKey, verifiedTokens: new VerifiedTokens() })
}
