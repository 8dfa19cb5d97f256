import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { importPublicJwk, type ProofAlgorithm, type PublicJwk, publicJwk, RSA_SIZES } from '../../jose/jwk.js'

/** A key that belongs to nobody. A signature is verified with it when there is no other key to try. */
export interface Decoy {
  readonly jwk: PublicJwk
  readonly key: KeyObject
}

/** Made beforehand, because it takes longer to make a key than to read one. */
const CURVE_DECOYS = Object.freeze({
  ES256: curve('P-256'),
  ES384: curve('P-384'),
  ES512: curve('P-521'),
  EdDSA: decoy(publicJwk(generateKeyPairSync('ed25519').publicKey)),
  Ed25519: decoy(publicJwk(generateKeyPairSync('ed25519').publicKey)),
})

/** By the length of their signatures, in bytes. */
const RSA_DECOYS: ReadonlyMap<number, Decoy> = new Map(RSA_SIZES.map((bits) => [bits / 8, modulus(bits / 8)]))
const [SMALLEST] = [...RSA_DECOYS.values()] as [Decoy]

/**
 * The decoy for a signature. An RSA signature is as long as the modulus of its key (RFC 8017 8.2.2), and only a decoy of
 * that size takes as long to verify.
 */
export function decoyFor(alg: ProofAlgorithm, signature: Buffer): Decoy {
  if (alg === 'RS256' || alg === 'PS256') return RSA_DECOYS.get(signature.length) ?? SMALLEST
  return CURVE_DECOYS[alg]
}

function curve(namedCurve: string): Decoy {
  return decoy(publicJwk(generateKeyPairSync('ec', { namedCurve }).publicKey))
}

/**
 * A number that is not the product of two primes. It verifies as slowly as one that is, and it is made in no time. It is
 * larger than the modulus of any key, so that there is no signature that is too large for it alone.
 */
function modulus(bytes: number): Decoy {
  const n = randomBytes(bytes).fill(0xff, 0, 8)
  n[bytes - 1] = 0xff
  return decoy(Object.freeze({ kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }))
}

function decoy(jwk: PublicJwk): Decoy {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw new Error(`a decoy is no key: ${key}`)
  return Object.freeze({ jwk, key })
}
