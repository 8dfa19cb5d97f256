import { isUtf8 } from 'node:buffer'
import {
  constants,
  createHmac,
  type KeyObject,
  timingSafeEqual,
  type VerifyKeyObjectInput,
  verify,
} from 'node:crypto'
import { decodeCanonical } from '../base/canonical-base64.js'
import { parseObject } from '../base/object.js'
import { type KeyAlgorithm, type ProofAlgorithm, proofAlgorithmsFor } from './jwk.js'

/** A longer token is refused before it is parsed. */
export const MAXIMUM_LENGTH = 8192

/** The members of a JSON object. Their types are not checked yet. */
export type Claims = Readonly<Record<string, unknown>>

/** A parsed JWS in compact serialization. Nothing in it is verified yet. */
export interface ParsedJws {
  readonly text: string
  readonly header: Claims
  /** `undefined` when the payload is not a JSON object. */
  readonly claims: Claims | undefined
  readonly signingInput: string
  readonly signature: Buffer
}

/** Parses a JWS (RFC 7515 5.2, steps 1 to 4). A fault is returned as text. */
export function parseJws(token: string): ParsedJws | string {
  const parts = token.length <= MAXIMUM_LENGTH ? token.split('.', 4) : []
  const [header, payload, signature] = parts.map((part) => decodeCanonical(part, 'base64url'))
  if (parts.length !== 3 || header === undefined || payload === undefined || !signature?.length) {
    return 'The token is not a JWS in compact serialization.'
  }
  const members = objectIn(header)
  if (members === undefined) return 'The JWS header is not a JSON object.'
  const signingInput = token.slice(0, token.lastIndexOf('.'))
  return { text: token, header: members, claims: objectIn(payload), signingInput, signature }
}

/** Invalid UTF-8 is refused (RFC 7515 5.2, 3). Otherwise different octets would become the same replacement character. */
function objectIn(json: Buffer): Claims | undefined {
  return isUtf8(json) ? parseObject(json.toString()) : undefined
}

/** The form of a `kid`. It is only compared, so any printable ASCII will do. */
export const KID = /^[\x21-\x7e]{1,256}$/

/** The `kid` in the header of a JWS, if it has the form of one. Nothing is verified yet. */
export function kidOf(token: string): string | undefined {
  const end = token.length <= MAXIMUM_LENGTH ? token.indexOf('.') : -1
  const header = end === -1 ? undefined : decodeCanonical(token.slice(0, end), 'base64url')
  const kid = header && objectIn(header)?.kid
  return typeof kid === 'string' && KID.test(kid) ? kid : undefined
}

type AsymmetricAlgorithm = Exclude<KeyAlgorithm | ProofAlgorithm, 'HS256'>

/** The digest of each algorithm, and its options for `verify` (RFC 7518 3.3 to 3.5, RFC 8037 3.1). */
const VERIFICATIONS: Record<
  AsymmetricAlgorithm,
  readonly [string | null, Omit<VerifyKeyObjectInput, 'key'>]
> = {
  ES256: ['sha256', { dsaEncoding: 'ieee-p1363' }],
  ES384: ['sha384', { dsaEncoding: 'ieee-p1363' }],
  ES512: ['sha512', { dsaEncoding: 'ieee-p1363' }],
  RS256: ['sha256', { padding: constants.RSA_PKCS1_PADDING }],
  PS256: ['sha256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
  EdDSA: [null, {}],
  Ed25519: [null, {}],
}

/** Verifies a signature. The caller has checked that the algorithm fits the key (RFC 8725 3.1). */
export function isSignedWith(
  { signingInput, signature }: ParsedJws,
  algorithm: KeyAlgorithm | ProofAlgorithm,
  key: KeyObject,
): boolean {
  if (algorithm === 'HS256') {
    const expected = createHmac('sha256', key).update(signingInput).digest()
    return signature.length === expected.length && timingSafeEqual(signature, expected)
  }
  const [digest, options] = VERIFICATIONS[algorithm]
  const isVerified = verify(digest, Buffer.from(signingInput), { key, ...options }, signature)
  return isVerified && isAsLongAs(key, signature)
}

/**
 * Whether an RSA signature is as long as its key (RFC 8017 8.1.2 and 8.2.2, step 1). OpenSSL accepts a PSS signature
 * without its leading zeros. This comes after the verification, because time must not show the length of a key.
 */
function isAsLongAs({ asymmetricKeyDetails: { modulusLength } = {} }: KeyObject, signature: Buffer): boolean {
  return modulusLength === undefined || signature.length === modulusLength / 8
}

/** Verifies the signature of a client. The algorithm in the header must fit the key (RFC 8725 3.1). */
export function verifiesWith(jws: ParsedJws, key: KeyObject): boolean {
  const algorithm = proofAlgorithmsFor(key).find((one) => one === jws.header.alg)
  return algorithm !== undefined && isSignedWith(jws, algorithm, key)
}
