import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { isObject } from '../base/object.js'

/**
 * A key as JSON (RFC 7517 4). It is our own interface, because `@types/node` moves its own between major versions.
 *
 * @example
 * const { SIGNING_JWK = '{}' } = process.env
 * const signingKey: Jwk = JSON.parse(SIGNING_JWK)
 */
export interface Jwk {
  /** The key type: `EC`, `OKP`, `RSA` or `oct` (RFC 7517 4.1). */
  readonly kty?: string
  /** The curve of an EC or OKP key (RFC 7518 6.2, RFC 8037 2), and its public point. */
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  /** The modulus and the exponent of an RSA key (RFC 7518 6.3). */
  readonly n?: string
  readonly e?: string
  /** The private members of an EC, OKP or RSA key. */
  readonly d?: string
  readonly p?: string
  readonly q?: string
  readonly dp?: string
  readonly dq?: string
  readonly qi?: string
  /** A symmetric key (RFC 7518 6.4). */
  readonly k?: string
  /** Labels (RFC 7517 4.2 to 4.9). They are checked where they are used, hence the type `unknown`. */
  readonly kid?: unknown
  readonly use?: unknown
  readonly alg?: unknown
  readonly key_ops?: unknown
  readonly ext?: unknown
  readonly oth?: unknown
  readonly x5c?: unknown
  readonly x5t?: unknown
  readonly 'x5t#S256'?: unknown
  readonly x5u?: unknown
  /** When the key was made, in seconds since the epoch. `keygen` writes it, and `review` reads it. */
  readonly iat?: unknown
}

/**
 * A public key as JSON. A private key is refused wherever a public key is expected.
 *
 * @example
 * const jwk: PublicJwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
 */
export type PublicJwk = Jwk

/**
 * A JWK Set with public keys (RFC 7517 5).
 *
 * @example
 * const { VENDOR_JWKS = '{"keys":[]}' } = process.env
 * const jwks: JwkSet = JSON.parse(VENDOR_JWKS)
 */
export interface JwkSet {
  /**
   * The public keys (RFC 7517 5.1).
   * @example [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }]
   */
  readonly keys: readonly PublicJwk[]
}

/** The algorithms of signing keys and proofs (RFC 7518 3.1). Never add `none`. */
export const ASYMMETRIC_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256'] as const
export type AsymmetricAlgorithm = (typeof ASYMMETRIC_ALGORITHMS)[number]

/**
 * The algorithm of a signing key (RFC 7518 3.1). `HS256` uses a shared secret, so it is never published in the JWK Set.
 *
 * @example
 * const algorithm: KeyAlgorithm = 'PS256'
 * const [signingKey] = generateSigningKeys(algorithm)
 */
export type KeyAlgorithm = AsymmetricAlgorithm | 'HS256'

const CURVES: Readonly<Record<string, AsymmetricAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

/**
 * The accepted sizes of RSA keys, in bits, and their exponent. With a larger key or exponent, strangers could use up our
 * CPU time. With an unusual size, the time of an answer could reveal whose key it is.
 */
export const RSA_SIZES: readonly number[] = [2048, 3072, 4096]
const RSA_EXPONENT = 65537n

/** The accepted RSA keys, for messages. */
export const RSA_FORM = `an RSA key of ${RSA_SIZES.join(', ').replace(/, (\d+)$/, ' or $1')} bits with the exponent ${RSA_EXPONENT}`
export const MINIMUM_HMAC_BITS = 256

/** The algorithms of proofs and assertions, which clients sign. `EdDSA` is the old name of `Ed25519` (RFC 9864 2.2). */
export const PROOF_ALGORITHMS = [...ASYMMETRIC_ALGORITHMS, 'EdDSA', 'Ed25519'] as const
export type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number]

/** The algorithms that a client may use with its key. None if the key is too weak or of another type. */
export function proofAlgorithmsFor(key: KeyObject): readonly ProofAlgorithm[] {
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  return key.type === 'secret' ? [] : (algorithmsFor(key) as readonly AsymmetricAlgorithm[])
}

/** The algorithms of a signing key, the default first. None if the key is too weak or of another type. */
export function algorithmsFor(key: KeyObject): readonly KeyAlgorithm[] {
  if (key.type === 'secret') return (key.symmetricKeySize ?? 0) * 8 >= MINIMUM_HMAC_BITS ? ['HS256'] : []
  if (key.asymmetricKeyType === 'ec') {
    const algorithm = CURVES[key.asymmetricKeyDetails?.namedCurve ?? '']
    return algorithm === undefined ? [] : [algorithm]
  }
  return key.asymmetricKeyType === 'rsa' && isSoundRsa(key) ? ['RS256', 'PS256'] : []
}

/** With the exponent 1, every number is its own signature. With a long exponent, verifying takes as long as signing. */
function isSoundRsa({
  asymmetricKeyDetails: { modulusLength = 0, publicExponent = 0n } = {},
}: KeyObject): boolean {
  return RSA_SIZES.includes(modulusLength) && publicExponent === RSA_EXPONENT
}

/** The `kty` and `crv` of the keys that sign with an algorithm (RFC 7518 6.2.1.1, RFC 8037 2). */
const KINDS: Readonly<Record<ProofAlgorithm, readonly [kty: string, crv?: string]>> = {
  ES256: ['EC', 'P-256'],
  ES384: ['EC', 'P-384'],
  ES512: ['EC', 'P-521'],
  RS256: ['RSA'],
  PS256: ['RSA'],
  EdDSA: ['OKP', 'Ed25519'],
  Ed25519: ['OKP', 'Ed25519'],
}

/** The curve of an algorithm. `undefined`: its keys are RSA keys. */
export function curveOf(alg: ProofAlgorithm): string | undefined {
  return KINDS[alg][1]
}

/** Whether the type and curve of a JWK fit an algorithm. The key is not imported. */
export function isKindFor({ kty, crv }: PublicJwk, alg: ProofAlgorithm): boolean {
  const [wantedType, wantedCurve] = KINDS[alg]
  return kty === wantedType && (wantedCurve === undefined || crv === wantedCurve)
}

/** Whether a JWK is for the verification of signatures, as far as it says (RFC 7517 4.2 and 4.3). */
export function isForVerification({ use = 'sig', key_ops: operations = ['verify'] }: PublicJwk): boolean {
  return use === 'sig' && Array.isArray(operations) && operations.includes('verify')
}

/** The required members per `kty`, in the order of RFC 7638 3.2. */
const REQUIRED_MEMBERS: Readonly<Record<string, readonly (keyof Jwk)[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
  oct: ['k', 'kty'],
}

/** The RFC 7638 thumbprint: SHA-256, base64url, 43 characters. */
export function thumbprint(key: KeyObject): string {
  return jwkThumbprint(exportJwk(key))
}

/** The thumbprint of a JWK, from its members. The key is not imported. */
export function jwkThumbprint(jwk: PublicJwk): string {
  const members = (REQUIRED_MEMBERS[jwk.kty ?? ''] ?? []).map((name) => [name, jwk[name]])
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url')
}

function exportJwk(key: KeyObject): Jwk {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' }) as Jwk
}

/** The public JWK of a key in its canonical form: only the required members. */
export function publicJwk(key: KeyObject): PublicJwk {
  const { d: _, k: __, ...jwk } = exportJwk(key)
  return Object.freeze(jwk)
}

/** The members that only private and symmetric keys have (RFC 7518 6.2.2, 6.3.2, 6.4.1). */
export const PRIVATE_MEMBERS: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Whether a JWK is a private or symmetric key. */
export function isPrivateJwk(jwk: Readonly<Record<string, unknown>>): boolean {
  return jwk.kty === 'oct' || PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))
}

/** The fault in the form of a public JWK, as text. The key is not imported, so the check is fast. */
export function publicJwkFault(value: unknown): string | undefined {
  if (!isObject(value)) return 'it is not a JSON object'
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(value, name))) return 'it holds private key material'
  const { kty } = value
  if (typeof kty !== 'string' || kty === 'oct' || !Object.hasOwn(REQUIRED_MEMBERS, kty))
    return 'its kty is none of EC, OKP, RSA'
  const names = REQUIRED_MEMBERS[kty] ?? []
  return names.some((name) => typeof value[name] !== 'string')
    ? `it lacks one of ${names.join(', ')}`
    : undefined
}

/** Imports a public key that a stranger sent. A fault is returned as text. */
export function importPublicJwk(value: unknown): KeyObject | string {
  const fault = publicJwkFault(value)
  if (fault !== undefined) return fault
  const jwk = value as PublicJwk
  const names = REQUIRED_MEMBERS[jwk.kty ?? ''] ?? []
  try {
    const members = Object.fromEntries(names.map((name) => [name, jwk[name]]))
    const key = createPublicKey({ key: members, format: 'jwk' })
    if (proofAlgorithmsFor(key).length === 0) return 'its curve, size or exponent is not accepted'
    // RFC 7518 6.2.1.2, 6.3.1.1: each number has one spelling, so each key has one too.
    const exported = exportJwk(key)
    if (names.some((name) => exported[name] !== jwk[name])) return 'it is not in its canonical form'
    return isOfSmallOrder(key) ? 'anybody could sign for it' : key
  } catch {
    return 'it is not a valid key'
  }
}

/**
 * The y coordinates of the Ed25519 points whose order divides 8: all encodings, little-endian, without the sign bit.
 * Anybody can make a signature that such a key verifies (RFC 8032 8.9, RFC 7748 6.1).
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
