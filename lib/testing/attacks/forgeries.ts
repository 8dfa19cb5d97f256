import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

type Members = Readonly<Record<string, unknown>>

/** The decoded parts of a genuine token. */
interface Parts {
  readonly header: Members
  readonly claims: Members
  readonly signature: string
}

function partsOf(token: string): Parts {
  const [header = '', claims = '', signature = ''] = token.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: read(header), claims: read(claims), signature }
}

function encode(...parts: readonly object[]): string {
  return parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
}

/** Tokens that name `none` as their algorithm (RFC 8725 3.2), with and without a signature. */
export function unsigned(token: string): readonly string[] {
  const { header, claims, signature } = partsOf(token)
  return ['none', 'None', 'NONE'].flatMap((alg) => {
    const input = encode({ ...header, alg }, claims)
    return [`${input}.`, `${input}.${signature}`]
  })
}

/** The same token with another signature: one bit is different, or another key has signed it. */
export function signedByOthers(token: string): readonly string[] {
  const { header, claims, signature } = partsOf(token)
  const bytes = Buffer.from(signature, 'base64url')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const flipped = `${token.slice(0, token.lastIndexOf('.'))}.${bytes.toString('base64url')}`
  return [flipped, signedWith(newKeyPair().privateKey, { ...header, alg: 'ES256' }, claims)]
}

/** A token that brings the key with which it is signed (RFC 8725 2.1, RFC 7515 4.1.3). */
export function withOwnKey(token: string): string {
  const { header, claims } = partsOf(token)
  const { publicKey, privateKey } = newKeyPair()
  return signedWith(privateKey, { ...header, alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) }, claims)
}

/** Tokens that are signed with HMAC, and a public key of the server as the secret (RFC 8725 2.1). */
export function signedWithPublicKeys(token: string, jwks: readonly Members[]): readonly string[] {
  const { header, claims } = partsOf(token)
  const input = encode({ ...header, alg: 'HS256' }, claims)
  return jwks.flatMap((jwk) => {
    const key = createPublicKey({ key: jwk as never, format: 'jwk' })
    const spki = key.export({ type: 'spki', format: 'der' })
    const secrets = [String(key.export({ type: 'spki', format: 'pem' })), spki, JSON.stringify(jwk)]
    return secrets.map(
      (secret) => `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`,
    )
  })
}

/** The genuine signature under other claims. */
export function withOtherClaims(token: string): string {
  const { header, claims, signature } = partsOf(token)
  const changed = {
    ...claims,
    sub: 'attacker',
    scope: `${claims['scope']} admin`,
    exp: Number(claims['exp']) + 600,
  }
  return `${encode(header, changed)}.${signature}`
}

function newKeyPair() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function signedWith(key: KeyObject, header: object, claims: object): string {
  const input = encode(header, claims)
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
