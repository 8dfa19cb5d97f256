import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { type ProofAlgorithm, type PublicJwk, publicJwk } from '../jwk.js'

/**
 * For each algorithm a key that is nobody's, to be read and verified with where there is no other, so that time does not
 * tell who exists. They are made beforehand: to make one takes longer than to read one.
 */
export const DECOYS: Readonly<Record<ProofAlgorithm, PublicJwk>> = Object.freeze({
  ES256: curve('P-256'),
  ES384: curve('P-384'),
  ES512: curve('P-521'),
  RS256: modulus(),
  PS256: modulus(),
  EdDSA: plain(generateKeyPairSync('ed25519')),
  Ed25519: plain(generateKeyPairSync('ed25519')),
})

function curve(namedCurve: string): PublicJwk {
  return plain(generateKeyPairSync('ec', { namedCurve }))
}

function plain({ publicKey }: { readonly publicKey: KeyObject }): PublicJwk {
  return publicJwk(publicKey)
}

/** Not the product of two primes: to verify with it takes as long, and to make it takes no time. */
function modulus(): PublicJwk {
  const n = randomBytes(256)
  n[0] = 0xff
  n[255] = 0xff
  return Object.freeze({ kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' })
}
