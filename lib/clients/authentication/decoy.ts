import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { importPublicJwk, type ProofAlgorithm, type PublicJwk, publicJwk, RSA_SIZES } from '../../jose/jwk.js'

/**
 * A key without an owner. If the client has no key that could have made a signature, the signature is verified with a decoy.
 * So the time of a refusal does not show which clients exist, or which keys they have.
 */
export interface Decoy {
  readonly jwk: PublicJwk
  readonly key: KeyObject
}

const ED25519_DECOY = decoy(publicJwk(generateKeyPairSync('ed25519').publicKey))

/** Generated once, because generating a key takes longer than importing one. */
const CURVE_DECOYS = Object.freeze({
  ES256: curveDecoy('P-256'),
  ES384: curveDecoy('P-384'),
  ES512: curveDecoy('P-521'),
  EdDSA: ED25519_DECOY,
  Ed25519: ED25519_DECOY,
})

/** The RSA decoys by the length of their signatures, in bytes. */
const RSA_DECOYS: ReadonlyMap<number, Decoy> = new Map(
  RSA_SIZES.map((bits) => [bits / 8, rsaDecoy(bits / 8)]),
)
const [SMALLEST_RSA_DECOY] = [...RSA_DECOYS.values()] as [Decoy]

/**
 * The decoy for a signature. An RSA signature is as long as the modulus of its key (RFC 8017 8.2.2). Verification takes as
 * long with a decoy only if the decoy has the same size.
 */
export function decoyFor(alg: ProofAlgorithm, signature: Buffer): Decoy {
  // No key has a signature of another length, so it does not matter which decoy refuses it.
  if (alg === 'RS256' || alg === 'PS256') return RSA_DECOYS.get(signature.length) ?? SMALLEST_RSA_DECOY
  return CURVE_DECOYS[alg]
}

function curveDecoy(namedCurve: string): Decoy {
  return decoy(publicJwk(generateKeyPairSync('ec', { namedCurve }).publicKey))
}

/**
 * Makes an RSA key of a random number instead of two primes. It is much faster to make, and verification takes as long.
 *
 * OpenSSL refuses a signature that exceeds the modulus without any work. That must not happen with the decoy alone. So the
 * number begins with 64 bits that are one, and exceeds the modulus of almost any real key.
 */
function rsaDecoy(bytes: number): Decoy {
  const n = randomBytes(bytes).fill(0xff, 0, 8)
  n[bytes - 1] = 0xff
  return decoy(Object.freeze({ kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }))
}

function decoy(jwk: PublicJwk): Decoy {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw new Error(`a decoy is not a key: ${key}`)
  return Object.freeze({ jwk, key })
}
