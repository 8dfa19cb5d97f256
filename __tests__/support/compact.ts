import { constants, createHmac, type KeyObject, sign } from 'node:crypto'
import type { KeyAlgorithm } from '../../lib/jose/jwk.js'

/** One part of a compact JWS. Text stays as it is; any other value becomes JSON. */
export function encodePart(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

/** A compact JWS with any header and payload, and a correct signature. */
export function compact(
  header: unknown,
  payload: unknown,
  key: KeyObject,
  alg: KeyAlgorithm = 'ES256',
): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`
  return `${input}.${signatureOf(Buffer.from(input), key, alg).toString('base64url')}`
}

function signatureOf(input: Buffer, key: KeyObject, alg: KeyAlgorithm): Buffer {
  const hash = `sha${alg.slice(2)}`
  if (alg === 'HS256') return createHmac(hash, key).update(input).digest()
  if (alg === 'PS256') {
    return sign(hash, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  }
  return sign(hash, input, { key, dsaEncoding: 'ieee-p1363' })
}

/** The same compact JWS with another signature. */
export function withSignature(token: string, signature: Buffer | string): string {
  const text = typeof signature === 'string' ? signature : signature.toString('base64url')
  return `${token.slice(0, token.lastIndexOf('.'))}.${text}`
}

export function signatureBytes(token: string): Buffer {
  return Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')
}

/**
 * Another spelling of the same bytes: base64url with one spare bit set. Only some lengths have spare bits
 * (RFC 4648 3.5).
 */
export function withSpareBit(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  if (part.length % 4 === 0) throw new Error('a part of this length has no spare bits')
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.slice(-1)) + 1]
}
