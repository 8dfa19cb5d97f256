import { type KeyObject, sign } from 'node:crypto'
import jsonwebtoken, { type Algorithm } from 'jsonwebtoken'
import { SIGNING_KEY } from './server.js'

/** The decoded header and payload of a JWT. */
export function decodeJwt(token: string): {
  header: Record<string, unknown>
  payload: Record<string, unknown>
} {
  const [header, payload] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString('utf8'))
  return { header: JSON.parse(header ?? ''), payload: JSON.parse(payload ?? '') }
}

/** Changes to a key that only the owner of the signing key can make. `undefined` removes a member. */
export interface Forgery {
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
  readonly sign?: (signingInput: { header: object; claims: object }) => string
}

/** Signs a key that differs from a genuine one by the forgery. The store has no record of it. */
export function forgeKey(genuine: string, { header, claims, sign = signBare }: Forgery): string {
  const { header: genuineHeader, payload } = decodeJwt(genuine)
  const merged = {
    header: defined({ ...genuineHeader, ...header }),
    claims: defined({ ...payload, ...claims }),
  }
  return sign(merged)
}

/** Signs with any key and algorithm, and does not change the header. */
export function signWith(key: KeyObject | string, algorithm: Algorithm) {
  return ({ header, claims }: { header: object; claims: object }): string =>
    jsonwebtoken.sign(claims, key, {
      algorithm,
      header: { ...header, alg: algorithm } as never,
    })
}

/** The token with another text as its signature. */
export function signedAs(signature: string) {
  return ({ header, claims }: { header: object; claims: object }): string =>
    [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') +
    `.${signature}`
}

function defined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}

/** Signs any header and claims with the server's key, without the checks of a JWT library. */
export function signBare({ header, claims }: { header: object; claims: object }): string {
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = sign('sha256', Buffer.from(input), { key: SIGNING_KEY, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
