import {
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto'
import { algorithmsFor, publicJwk, thumbprint } from '../jose/jwk.js'
import { type Claims, isSignedWith, parseJws } from '../jose/jws.js'

/** The parts of a JWT, not verified. */
export interface DecodedToken {
  readonly header: Claims
  readonly claims: Claims
  /** The three parts of its text. */
  readonly parts: readonly [header: string, payload: string, signature: string]
}

/** The parts of a token, or `undefined` if it is no JWT. */
export function decodeToken(token: string): DecodedToken | undefined {
  const [header = '', payload = '', signature = '', ...more] = token.split('.')
  const parsed = parseJws(token)
  if (typeof parsed === 'string' || parsed.claims === undefined || more.length > 0) return undefined
  return { header: parsed.header, claims: parsed.claims, parts: [header, payload, signature] }
}

/** The text of a JSON object in a JWT. */
export function encodePart(members: Claims): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url')
}

/** Makes a signature. */
type Sign = (input: Buffer) => Buffer

/** The signatures of HS256. */
export function hmacWith(secret: string | Buffer): Sign {
  return (input) => createHmac('sha256', secret).update(input).digest()
}

/** Makes a JWT with any header and claims. */
export function makeToken(
  { header, claims }: Pick<DecodedToken, 'header' | 'claims'>,
  signInput: Sign,
): string {
  const input = `${encodePart(header)}.${encodePart(claims)}`
  return `${input}.${signInput(Buffer.from(input)).toString('base64url')}`
}

/** Tokens that name `none` as their algorithm (RFC 8725 3.2), with and without a signature. */
export function unsigned({ header, claims, parts: [, , signature] }: DecodedToken): readonly string[] {
  return ['none', 'None', 'NONE'].flatMap((alg) => {
    const input = `${encodePart({ ...header, alg })}.${encodePart(claims)}.`
    return [input, input + signature]
  })
}

/** Tokens that are signed with HMAC, and a public key of the server as the secret (RFC 8725 2.1). */
export function signedWithPublicKeys(
  { header, claims }: DecodedToken,
  jwks: readonly Claims[],
): readonly string[] {
  const secrets = jwks.flatMap((jwk) => {
    const key = importKey(jwk)
    if (key === undefined) return []
    const pem = String(key.export({ type: 'spki', format: 'pem' }))
    return [pem, pem.trim(), key.export({ type: 'spki', format: 'der' }), JSON.stringify(jwk)]
  })
  return secrets.map((secret) => makeToken({ header: { ...header, alg: 'HS256' }, claims }, hmacWith(secret)))
}

/** The same token with another signature: one bit is different, or another key has signed it. */
export function signedByOthers(token: string): readonly string[] {
  const { header, claims, parts } = partsOf(token)
  const bytes = Buffer.from(parts[2], 'base64url')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const flipped = `${parts[0]}.${parts[1]}.${bytes.toString('base64url')}`
  return [flipped, makeToken({ header: { ...header, alg: 'ES256' }, claims }, newPair().sign)]
}

/** A token that brings the key with which it is signed (RFC 8725 2.1, RFC 7515 4.1.3). */
export function withOwnKey(token: string): string {
  const { header, claims } = partsOf(token)
  const { jwk, sign } = newPair()
  return makeToken({ header: { ...header, alg: 'ES256', jwk }, claims }, sign)
}

/** The genuine signature under other claims. */
export function withOtherClaims(token: string): string {
  const { header, claims, parts } = partsOf(token)
  const changed = {
    ...claims,
    sub: 'attacker',
    scope: `${claims['scope']} admin`,
    exp: Number(claims['exp']) + 600,
  }
  return `${encodePart(header)}.${encodePart(changed)}.${parts[2]}`
}

export function partsOf(token: string): DecodedToken {
  const decoded = decodeToken(token)
  if (decoded === undefined) throw new SyntaxError('The token is no JWT.')
  return decoded
}

/** A key pair for ES256. */
export interface ProofPair {
  readonly privateKey: KeyObject
  readonly jwk: Claims
  /** RFC 7638. */
  readonly thumbprint: string
  readonly sign: Sign
}

export function newPair(): ProofPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey,
    jwk: { ...publicJwk(publicKey) },
    thumbprint: thumbprint(publicKey),
    sign: (input) => sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}

/** What a DPoP proof is for, and changes that make it wrong. A member that is `undefined` is removed. */
export interface ProofPlan {
  readonly method: string
  readonly url: string
  readonly now: number
  readonly token?: string | undefined
  readonly nonce?: string | undefined
  readonly header?: Claims
  readonly claims?: Claims
  readonly signInput?: Sign
}

/** Makes a DPoP proof (RFC 9449 4.2). */
export function makeProof(
  pair: ProofPair,
  { method, url, now, token, nonce, ...changes }: ProofPlan,
): string {
  const { origin, pathname } = new URL(url)
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: origin + pathname,
    iat: now,
    ...(token !== undefined && { ath: createHash('sha256').update(token).digest('base64url') }),
    ...(nonce !== undefined && { nonce }),
    ...changes.claims,
  }
  const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: pair.jwk, ...changes.header }
  return makeToken({ header, claims }, changes.signInput ?? pair.sign)
}

/** Whether one of the public keys has signed a token. */
export function isSignedByOne(token: string, jwks: readonly Claims[]): boolean {
  const parsed = parseJws(token)
  if (typeof parsed === 'string') return false
  const { alg, kid } = parsed.header
  const candidates = jwks.filter((jwk) => kid === undefined || jwk['kid'] === kid)
  return candidates.some((jwk) => {
    const key = importKey(jwk)
    if (key === undefined) return false
    const algorithm = algorithmsFor(key).find((one) => one === alg)
    if (algorithm !== undefined && algorithm !== 'HS256') return isSignedWith(parsed, algorithm, key)
    const isEdwards = alg === 'EdDSA' || alg === 'Ed25519'
    return isEdwards && verify(null, Buffer.from(parsed.signingInput), key, parsed.signature)
  })
}

/** The public key of a JWK, or `undefined` if it is none. */
export function importKey(jwk: Claims): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk as never, format: 'jwk' })
  } catch {
    return undefined
  }
}
