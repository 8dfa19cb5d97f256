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
export function hmacWith(secret: string | Buffer | KeyObject): Sign {
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

/** Makes tokens of a genuine one, without its signing key. `jwks` has the public keys of the issuer. */
export type Forge = (token: DecodedToken, jwks: readonly Claims[]) => readonly string[]

/** Tricks that no verifier may fall for. */
export const FORGERIES = {
  algNone: unsigned,
  publicKeyAsSecret: signedWithPublicKeys,
  forgedSignature: signedByOthers,
  changedClaims: withOtherClaims,
  embeddedKey: withOwnKey,
} satisfies Record<string, Forge>

/** Tokens that name `none` as their algorithm (RFC 8725 3.2), with and without a signature. */
function unsigned({ header, claims, parts: [, , signature] }: DecodedToken): readonly string[] {
  return ['none', 'None', 'NONE'].flatMap((alg) => {
    const input = `${encodePart({ ...header, alg })}.${encodePart(claims)}.`
    return [input, input + signature]
  })
}

/** Tokens that are signed with HMAC, and a public key of the server as the secret (RFC 8725 2.1). */
function signedWithPublicKeys({ header, claims }: DecodedToken, jwks: readonly Claims[]): readonly string[] {
  const secrets = jwks.flatMap((jwk) => {
    const key = importKey(jwk)
    if (key === undefined) return []
    const pem = String(key.export({ type: 'spki', format: 'pem' }))
    return [pem, pem.trim(), key.export({ type: 'spki', format: 'der' }), JSON.stringify(jwk)]
  })
  return secrets.map((secret) => makeToken({ header: { ...header, alg: 'HS256' }, claims }, hmacWith(secret)))
}

/** The same token with another signature: a bit differs, a part is missing, or another key has signed it. */
function signedByOthers({
  header,
  claims,
  parts: [head, payload, signature],
}: DecodedToken): readonly string[] {
  const bytes = Buffer.from(signature, 'base64url')
  const changed = Buffer.from(bytes)
  changed[0] = (changed[0] ?? 0) ^ 1
  const others = [changed, Buffer.alloc(bytes.length), bytes.subarray(0, -1), Buffer.alloc(0)]
  return [
    ...others.map((one) => `${head}.${payload}.${one.toString('base64url')}`),
    `${head}.${payload}`,
    makeToken({ header: { ...header, alg: 'ES256' }, claims }, newPair().sign),
  ]
}

/** The genuine signature under other claims. */
function withOtherClaims({ claims, parts: [head, , signature] }: DecodedToken): readonly string[] {
  const changes: Claims[] = [
    { sub: 'check.invalid-admin' },
    { exp: Number(claims['exp']) + 86_400 },
    { scope: `${claims['scope']} admin` },
  ]
  return changes.map((change) => `${head}.${encodePart({ ...claims, ...change })}.${signature}`)
}

/** Tokens that bring the key with which they are signed, or name its place (RFC 8725 2.1, RFC 7515 4.1.3). */
function withOwnKey({ header, claims }: DecodedToken): readonly string[] {
  const { jwk, sign } = newPair()
  const url = 'https://check.invalid/jwks.json'
  // A verifier may use the embedded key only if it does not know the kid, or only if it knows the kid.
  const additions: Claims[] = [
    { jwk, kid: 'check' },
    { jwk, jku: url },
    { jwk, x5u: url },
  ]
  return additions.map((addition) =>
    makeToken({ header: { ...header, alg: 'ES256', ...addition }, claims }, sign),
  )
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
