import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

/** A key that is nobody's, to be verified with where there is no other, so that time does not tell who exists. */
export function decoyKey(alg: unknown): KeyObject {
  const namedCurve = CURVES[String(alg)]
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve }).publicKey
  if (alg === 'EdDSA' || alg === 'Ed25519') return generateKeyPairSync('ed25519').publicKey
  // Not the product of two primes: to verify with it takes as long, and to make it takes no time.
  const modulus = randomBytes(256)
  modulus[0] = 0xff
  modulus[255] = 0xff
  const key = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' }
  return createPublicKey({ key, format: 'jwk' })
}
