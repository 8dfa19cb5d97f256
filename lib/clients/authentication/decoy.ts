import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { importPublicJwk, type ProofAlgorithm, type PublicJwk, publicJwk, RSA_SIZES } from '../../jose/jwk.js'

/** A key without an owner. A signature is verified with it if the client has no key to try. */
export interface Decoy {
  readonly jwk: PublicJwk
  readonly key: KeyObject
}

/** Generated once, because generating a key takes longer than importing one. */
const CURVE_DECOYS = Object.freeze({
  ES256: curve('P-256'),
  ES384: curve('P-384'),
  ES512: curve('P-521'),
  EdDSA: decoy(publicJwk(generateKeyPairSync('ed25519').publicKey)),
  Ed25519: decoy(publicJwk(generateKeyPairSync('ed25519').publicKey)),
})

/** The RSA decoys by the length of their signatures, in bytes. */
const RSA_DECOYS: ReadonlyMap<number, Decoy> = new Map(RSA_SIZES.map((bits) => [bits / 8, modulus(bits / 8)]))
const [SMALLEST] = [...RSA_DECOYS.values()] as [Decoy]

/**
 * The decoy for a signature. An RSA signature is as long as the modulus of its key (RFC 8017 8.2.2). Verification takes as
 * long with a decoy only if the decoy has the same size.
 */
export function decoyFor(alg: ProofAlgorithm, signature: Buffer): Decoy {
  if (alg === 'RS256' || alg === 'PS256') return RSA_DECOYS.get(signature.length) ?? SMALLEST
  return CURVE_DECOYS[alg]
}

function curve(namedCurve: string): Decoy {
  return decoy(publicJwk(generateKeyPairSync('ec', { namedCurve }).publicKey))
}

/**
 * Makes an RSA key of a random number instead of two primes. Verification takes as long with it, and it is much faster to
 * make. Its number is larger than the modulus of any key of its size: OpenSSL refuses a signature above the modulus
 * without any work, and that must not happen with the decoy alone.
 */
function modulus(bytes: number): Decoy {
  const n = randomBytes(bytes).fill(0xff, 0, 8)
  n[bytes - 1] = 0xff
  return decoy(Object.freeze({ kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }))
}

function decoy(jwk: PublicJwk): Decoy {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw new Error(`a decoy is not a key: ${key}`)
  return Object.freeze({ jwk, key })
}
