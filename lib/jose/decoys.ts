import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { curveOf, importPublicJwk, type ProofAlgorithm, type PublicJwk, publicJwk, RSA_SIZES } from './jwk.js'

/**
 * A key without an owner. If the client has no key that could have made a signature, the signature is verified with a decoy.
 * So the time of a refusal does not show which clients exist, or which keys they have.
 */
export interface Decoy {
  readonly jwk: PublicJwk
  readonly key: KeyObject
}

/**
 * The decoys of one deployment. Each is made when a signature first needs it, and then kept. The signature alone decides
 * which one that is, so this shows nothing about clients.
 */
export class Decoys {
  readonly #made = new Map<string | number, Decoy>()

  /**
   * The decoy for a signature. An RSA signature is as long as the modulus of its key (RFC 8017 8.2.2). Verification takes
   * as long with a decoy only if the decoy has the same size.
   */
  for(alg: ProofAlgorithm, { length }: Buffer): Decoy {
    // No key has a signature of another length, so it does not matter which decoy refuses it.
    const bits = RSA_SIZES.includes(length * 8) ? length * 8 : Math.min(...RSA_SIZES)
    const kind = curveOf(alg) ?? bits
    const known = this.#made.get(kind)
    if (known !== undefined) return known
    const made = newDecoy(typeof kind === 'number' ? rsaJwk(kind) : curveJwk(kind))
    this.#made.set(kind, made)
    return made
  }
}

function curveJwk(curve: string): PublicJwk {
  const { publicKey } =
    curve === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: curve })
  return publicJwk(publicKey)
}

/**
 * Makes an RSA key of a random number instead of two primes. It is much faster to make, and verification takes as long.
 *
 * OpenSSL refuses a signature that exceeds the modulus without any work. That must not happen with the decoy alone. So the
 * number begins with 64 bits that are one, and exceeds the modulus of almost any real key.
 */
function rsaJwk(bits: number): PublicJwk {
  const bytes = bits / 8
  const n = randomBytes(bytes).fill(0xff, 0, 8)
  n[bytes - 1] = 0xff
  return Object.freeze({ kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' })
}

function newDecoy(jwk: PublicJwk): Decoy {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw new Error(`a decoy is not a key: ${key}`)
  return Object.freeze({ jwk, key })
}
