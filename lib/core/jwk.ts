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
  if (key.asymmetricKeyType !== 'rsa') return []
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MINIMUM_RSA_BITS ? ['RS256', 'PS256'] : []
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
    return proofAlgorithmsFor(key).length > 0 ? key : 'its curve or size is not accepted'
  } catch {
    return 'it is not a valid key'
  }
}
