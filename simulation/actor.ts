import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** Makes DPoP proofs (RFC 9449 4.2) at a simulated time. */
export interface DpopKey {
  readonly prove: (request: { method: string; url: string; token?: string; seconds: number }) => string
}

export function dpopKey(): DpopKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  return {
    prove({ method, url, token, seconds }) {
      const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }
      const jti = randomBytes(12).toString('base64url')
      const claims = { jti, htm: method, htu: url, iat: Math.floor(seconds), ...ath }
      return signJwt({ typ: 'dpop+jwt', alg: 'ES256', jwk }, claims, privateKey)
    },
  }
}

/** Signs any header and claims with ES256. */
function signJwt(header: object, claims: object, key: KeyObject): string {
  const input = [header, claims].map((part) => encoded(JSON.stringify(part))).join('.')
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** The header and the claims of a JWT. */
export function decodeJwt(token: string): [header: object, claims: object] {
  const [header = '', claims = ''] = token.split('.')
  return [JSON.parse(decoded(header)), JSON.parse(decoded(claims))]
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url')
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64url').toString()
}

/** A program at some address. It may have credentials of a client. */
export interface Actor {
  readonly clientId: string
  readonly secret: string
  readonly address: string
  readonly userAgent: string
  readonly dpop?: DpopKey | undefined
  /** By how much its clock is ahead. Negative: behind. */
  readonly skewSeconds?: number
}

/** The secret of each client. The simulation needs no secrecy. */
export function secretOf(clientId: string): string {
  return `secret-of-${clientId}-`.padEnd(32, '0')
}

/** A client with its right secret. */
export function actor(given: Omit<Actor, 'secret'>): Actor {
  return { secret: secretOf(given.clientId), ...given }
}
