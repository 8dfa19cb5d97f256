import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { PublicJwk } from '../../lib/jose/jwk.js'

/** RFC 7523 2.2. */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A client's key pair, and its signature algorithm. */
export interface ClientKey {
  readonly alg: string
  readonly privateKey: KeyObject
  readonly jwk: PublicJwk
  /** The `kid` in its assertions. */
  readonly kid?: string
}

const GENERATORS: Readonly<Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  Ed25519: () => generateKeyPairSync('ed25519'),
}

export const CLIENT_ALGORITHMS = Object.keys(GENERATORS)

export function clientKey(alg = 'ES256'): ClientKey {
  const pair = GENERATORS[alg]?.()
  if (pair === undefined) throw new Error(`no key for ${alg}`)
  return { alg, privateKey: pair.privateKey, jwk: pair.publicKey.export({ format: 'jwk' }) }
}

/** The members of an assertion that differ from those of a correct one. `undefined` leaves a member out. */
export interface AssertionParts {
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
}

/** A client assertion (RFC 7523 3), correct except for `parts`. */
export function signAssertion(
  key: ClientKey,
  { clientId, audience, now }: { readonly clientId: string; readonly audience: string; readonly now: number },
  { header, claims }: AssertionParts = {},
): string {
  const payload = { iss: clientId, sub: clientId, aud: audience, jti: randomUUID(), iat: now, exp: now + 60 }
  const parts = [
    { alg: key.alg, ...(key.kid !== undefined && { kid: key.kid }), ...header },
    { ...payload, ...claims },
  ]
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${signature(key, input)}`
}

/** The signature of a JWS in compact serialization, base64url. */
export function signature({ alg, privateKey }: Pick<ClientKey, 'alg' | 'privateKey'>, input: string): string {
  const digest = alg.startsWith('Ed') ? null : `sha${alg.slice(2)}`
  const padding = alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {}
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363', ...padding } as const
  return sign(digest, Buffer.from(input), key).toString('base64url')
}
