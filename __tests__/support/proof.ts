import { createHash, randomUUID } from 'node:crypto'
import { type ClientKey, signature } from './client-assertion.js'

/** The target of a request, which its proof must name. */
export interface ProofTarget {
  readonly method: string
  readonly url: string
}

/** The members of a proof that differ from those of a correct one. `undefined` leaves a member out. */
export interface ProofParts {
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
  /** Changes the text of the payload, for numbers that JavaScript cannot write. */
  readonly payload?: (json: string) => string
  /** Signs with this key instead of the key in the header. */
  readonly signer?: Pick<ClientKey, 'alg' | 'privateKey'>
  /** Replaces the signature, in base64url. */
  readonly signature?: string
}

/** The hash by which a proof names a key (RFC 9449 4.2). */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

/** A DPoP proof (RFC 9449 4.2), correct except for `parts`. */
export function signProof(
  key: ClientKey,
  { method, url }: ProofTarget,
  { token, now = Date.now() / 1000, ...parts }: ProofParts & { token?: string; now?: number } = {},
): string {
  const header = { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...parts.header }
  const ath = token === undefined ? {} : { ath: hashOf(token) }
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(now),
    ...ath,
    ...parts.claims,
  }
  const { payload = (json: string) => json } = parts
  const texts = [JSON.stringify(header), payload(JSON.stringify(claims))]
  const input = texts.map((text) => Buffer.from(text).toString('base64url')).join('.')
  return `${input}.${parts.signature ?? signature(parts.signer ?? key, input)}`
}
