import { algorithmsFor, importPublicJwk, isPrivateJwk } from './jwk.js'
import { type Claims, KID } from './jws.js'
import type { SigningKey } from './key-ring.js'

/** A larger set is refused before any of its keys is read. */
const MOST_KEYS = 32

/**
 * Reads the keys of a JWK Set (RFC 7517 5) that verify signatures, each by the `kid` that the set gives it. Those that
 * are of no use here are left out (RFC 7517 5). Answers with the fault in words instead of throwing.
 *
 * A set with private or symmetric keys is refused as a whole: whoever can read it could sign with them.
 */
export function readJwkSet(value: unknown): ReadonlyMap<string, SigningKey> | string {
  const keys = isObject(value) ? value.keys : undefined
  if (!Array.isArray(keys)) return 'it is not a JWK Set'
  if (keys.length > MOST_KEYS) return `it has more than ${MOST_KEYS} keys`
  if (keys.some((jwk) => isObject(jwk) && isPrivateJwk(jwk))) return 'it holds private or symmetric keys'
  const usable = keys.flatMap((jwk) => (isObject(jwk) ? (readKey(jwk) ?? []) : []))
  const byKid = new Map(usable.map((key) => [key.kid, key]))
  return byKid.size === usable.length ? byKid : 'two of its keys have the same kid'
}

/** RFC 7517 4.2 to 4.5: a key for signatures, of an algorithm that fits it, with a name. */
function readKey(jwk: Claims): SigningKey | undefined {
  const { kid, use = 'sig', key_ops: operations = ['verify'], alg } = jwk
  const isNamed = typeof kid === 'string' && KID.test(kid)
  if (!isNamed || use !== 'sig' || !Array.isArray(operations) || !operations.includes('verify'))
    return undefined
  const publicKey = importPublicJwk(jwk)
  if (typeof publicKey === 'string') return undefined
  const possible = algorithmsFor(publicKey)
  const own = alg === undefined ? possible[0] : possible.find((one) => one === alg)
  return own && Object.freeze({ kid, alg: own, publicKey })
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
