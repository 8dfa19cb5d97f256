import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** A public key as JSON (RFC 7517). */
export type PublicJwk = Readonly<JsonWebKey>

/** The signature algorithms of keys and proofs (RFC 7518 3.1). `none` is not among them and never will be. */
export const ASYMMETRIC_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256'] as const
export type AsymmetricAlgorithm = (typeof ASYMMETRIC_ALGORITHMS)[number]
export type KeyAlgorithm = AsymmetricAlgorithm | 'HS256'

const CURVES: Readonly<Record<string, AsymmetricAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

export const MINIMUM_RSA_BITS = 2048
/** Larger keys are refused for the time that strangers could make us spend on them. */
const MAXIMUM_RSA_BITS = 8192
export const MINIMUM_HMAC_BITS = 256

/** The algorithms of what clients sign: proofs and assertions. The last two are one, by its old and its new name. */
export const PROOF_ALGORITHMS = [...ASYMMETRIC_ALGORITHMS, 'EdDSA', 'Ed25519'] as const
export type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number]

/** The algorithms a client's key may sign with; none when the key is too weak or of no use here. */
export function proofAlgorithmsFor(key: KeyObject): readonly ProofAlgorithm[] {
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  return key.type === 'secret' ? [] : (algorithmsFor(key) as readonly AsymmetricAlgorithm[])
}

/** The algorithms a key may be used with, the usual one first; none when the key is too weak or of no use here. */
export function algorithmsFor(key: KeyObject): readonly KeyAlgorithm[] {
  if (key.type === 'secret') return (key.symmetricKeySize ?? 0) * 8 >= MINIMUM_HMAC_BITS ? ['HS256'] : []
  if (key.asymmetricKeyType === 'ec') {
    const algorithm = CURVES[key.asymmetricKeyDetails?.namedCurve ?? '']
    return algorithm === undefined ? [] : [algorithm]
  }
  return key.asymmetricKeyType === 'rsa' && isSoundRsa(key) ? ['RS256', 'PS256'] : []
}

/** With an exponent of 1 every number is its own signature; a long one takes as much time as signing does. */
function isSoundRsa({
  asymmetricKeyDetails: { modulusLength = 0, publicExponent = 0n } = {},
}: KeyObject): boolean {
  const isSize = modulusLength >= MINIMUM_RSA_BITS && modulusLength <= MAXIMUM_RSA_BITS
  return isSize && publicExponent % 2n === 1n && publicExponent >= 3n && publicExponent < 2n ** 64n
}

/** The members that make a key what it is, per `kty`, in the order RFC 7638 3.2 wants them. */
const REQUIRED_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
  oct: ['k', 'kty'],
}

/** The RFC 7638 thumbprint: SHA-256, base64url, 43 characters. */
export function thumbprint(key: KeyObject): string {
  const jwk = exportJwk(key)
  const members = (REQUIRED_MEMBERS[jwk.kty ?? ''] ?? []).map((name) => [name, jwk[name]])
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url')
}

function exportJwk(key: KeyObject): JsonWebKey {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
}

/** The public JWK of a key, in its canonical form: nothing but the required members. */
export function publicJwk(key: KeyObject): PublicJwk {
  const { d: _, k: __, ...jwk } = exportJwk(key)
  return Object.freeze(jwk)
}

/** Members that only a private or symmetric key has (RFC 7518 6.2.2, 6.3.2, 6.4.1). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Whether a JWK is more than public. */
export function isPrivateJwk(jwk: Readonly<Record<string, unknown>>): boolean {
  return jwk.kty === 'oct' || PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))
}

/** Reads a public key that a stranger sent. Answers with the fault in words instead of throwing. */
export function importPublicJwk(value: unknown): KeyObject | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'it is not a JSON object'
  const jwk = value as Record<string, unknown>
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return 'it holds private key material'
  const isKnown = typeof jwk.kty === 'string' && jwk.kty !== 'oct' && Object.hasOwn(REQUIRED_MEMBERS, jwk.kty)
  const names = isKnown ? REQUIRED_MEMBERS[jwk.kty as string] : undefined
  if (names === undefined) return 'its kty is none of EC, OKP, RSA'
  if (names.some((name) => typeof jwk[name] !== 'string')) return `it lacks one of ${names.join(', ')}`
  try {
    const members = Object.fromEntries(names.map((name) => [name, jwk[name]]))
    const key = createPublicKey({ key: members as JsonWebKey, format: 'jwk' })
    if (proofAlgorithmsFor(key).length === 0) return 'its curve, size or exponent is not accepted'
    // RFC 7518 6.2.1.2, 6.3.1.1: each number has one spelling, so that each key has.
    const exported = exportJwk(key)
    if (names.some((name) => exported[name] !== jwk[name])) return 'it is not in its canonical form'
    return isOfSmallOrder(key) ? 'anybody could sign for it' : key
  } catch {
    return 'it is not a valid key'
  }
}

/**
 * The y of the points of Ed25519 whose order divides 8, in all their encodings, little-endian, without the bit of the
 * sign. A signature by such a key can be made without any private one (RFC 8032 8.9, RFC 7748 6.1).
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

function isOfSmallOrder(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'ed25519') return false
  const y = Buffer.from(exportJwk(key).x ?? '', 'base64url')
  y[31] = (y[31] ?? 0) & 0x7f
  return SMALL_ORDER.has(y.toString('hex'))
}
