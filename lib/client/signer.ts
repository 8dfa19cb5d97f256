import { oneLine, ProvisionError } from './failure.js'

/** A key of WebCrypto, extractable or not. */
export type WebCryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/**
 * A public key as a JWK (RFC 7517).
 *
 * @example
 * const publicJwk: PublicKeyJwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
 */
export interface PublicKeyJwk {
  readonly kty: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/**
 * A JWS algorithm that the server accepts for DPoP proofs and client assertions.
 *
 * @example
 * const algorithm: SignerAlgorithm = 'ES256'
 */
export type SignerAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'RS256' | 'PS256' | 'Ed25519'

/**
 * A private key that signs, wherever it is kept: in a TPM, an HSM, a KMS, or in WebCrypto. The private key never leaves it.
 *
 * @example
 * async function signerOfKms(publicJwk: PublicKeyJwk, kms: { sign(bytes: Uint8Array): Promise<Uint8Array> }) {
 *   const signer: Signer = { algorithm: 'ES256', publicJwk, sign: (bytes) => kms.sign(bytes) }
 *   return signer
 * }
 */
export interface Signer {
  readonly algorithm: SignerAlgorithm
  /** The public key, without private members. */
  readonly publicJwk: PublicKeyJwk
  /**
   * Signs the bytes, and hashes them itself. The signature must have the form of JWS (RFC 7518 3.4): for ES256, `r` and
   * `s` with 32 bytes each, not DER.
   */
  sign(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/** The members of a public key, in the order of RFC 7638 3.2. */
const MEMBERS: Readonly<Record<string, readonly (keyof PublicKeyJwk)[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
}

/** The WebCrypto parameters of the signatures of each algorithm. */
const SIGNATURES: Record<SignerAlgorithm, object> = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', hash: 'SHA-384' },
  ES512: { name: 'ECDSA', hash: 'SHA-512' },
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  Ed25519: { name: 'Ed25519' },
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const

/**
 * Makes a signer from a key pair of WebCrypto. The private key may be non-extractable.
 *
 * @param keyPair a key pair for ECDSA (P-256, P-384, P-521), RSA with SHA-256, or Ed25519
 * @throws TypeError if the key pair is for another algorithm
 * @example
 * const keyPair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
 * const signer = await signWith(keyPair)
 */
export async function signWith(keyPair: {
  readonly publicKey: WebCryptoKey
  readonly privateKey: WebCryptoKey
}): Promise<Signer> {
  const algorithm = algorithmOf(keyPair.privateKey)
  const jwk = (await crypto.subtle.exportKey('jwk', keyPair.publicKey)) as PublicKeyJwk
  return {
    algorithm,
    publicJwk: publicPart(jwk),
    async sign(bytes) {
      const signed = crypto.subtle.sign(SIGNATURES[algorithm] as never, keyPair.privateKey, bytes.slice())
      return new Uint8Array(await signed)
    },
  }
}

function algorithmOf({ algorithm }: WebCryptoKey): SignerAlgorithm {
  const { name, namedCurve, hash } = algorithm as {
    readonly name: string
    readonly namedCurve?: string
    readonly hash?: { readonly name: string }
  }
  const found: Readonly<Record<string, SignerAlgorithm>> = {
    'ECDSA P-256': 'ES256',
    'ECDSA P-384': 'ES384',
    'ECDSA P-521': 'ES512',
    'RSASSA-PKCS1-v1_5 SHA-256': 'RS256',
    'RSA-PSS SHA-256': 'PS256',
    Ed25519: 'Ed25519',
  }
  const known = found[[name, namedCurve ?? hash?.name].filter((part) => part !== undefined).join(' ')]
  if (known === undefined)
    throw new TypeError(`keyPair: expected a key for ${Object.values(found).join(', ')}, got one for ${name}`)
  return known
}

/** A private key as a JWK (RFC 7518 6.2.2), as the state keeps it. */
export interface PrivateKeyJwk extends PublicKeyJwk {
  readonly d: string
}

/** Makes a key pair for ES256. */
export async function newPrivateKey(): Promise<PrivateKeyJwk> {
  const { privateKey } = await crypto.subtle.generateKey(P256, true, ['sign', 'verify'])
  const { kty, crv, x, y, d } = (await crypto.subtle.exportKey('jwk', privateKey)) as PrivateKeyJwk
  return { kty, crv, x, y, d } as PrivateKeyJwk
}

/** The signer of a private key that `newPrivateKey()` made. */
export async function signerOf(jwk: PrivateKeyJwk): Promise<Signer> {
  const load = (key: PublicKeyJwk, usage: 'sign' | 'verify') =>
    crypto.subtle.importKey('jwk', { ...key } as never, P256, true, [usage])
  return signWith({ privateKey: await load(jwk, 'sign'), publicKey: await load(publicPart(jwk), 'verify') })
}

function publicPart(jwk: PublicKeyJwk): PublicKeyJwk {
  return Object.fromEntries(
    (MEMBERS[jwk.kty] ?? []).map((name) => [name, jwk[name]]),
  ) as unknown as PublicKeyJwk
}

/** RFC 7638. */
export async function thumbprintOf({ publicJwk }: Signer): Promise<string> {
  return base64url(await sha256(JSON.stringify(publicPart(publicJwk))))
}

/** Signs a JWT in the compact form of JWS (RFC 7515 7.1). */
export async function signJwt(signer: Signer, header: object, claims: object): Promise<string> {
  const parts = [{ alg: signer.algorithm, ...header }, claims]
  const input = parts.map((part) => base64url(new TextEncoder().encode(JSON.stringify(part)))).join('.')
  return `${input}.${base64url(await signatureOf(signer, new TextEncoder().encode(input)))}`
}

async function signatureOf(signer: Signer, input: Uint8Array): Promise<Uint8Array> {
  let signature: unknown
  try {
    signature = await signer.sign(input)
  } catch (cause) {
    throw new ProvisionError('signer_failed', `signer.sign() failed: ${oneLine(cause)}`, { cause })
  }
  if (ArrayBuffer.isView(signature) && signature.byteLength > 0) return signature as Uint8Array
  throw new ProvisionError('signer_failed', 'signer.sign() returned no bytes: expected a Uint8Array')
}

export async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

export function base64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
