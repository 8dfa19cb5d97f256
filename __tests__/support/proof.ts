import { createHash, randomUUID } from 'node:crypto'
import { type ClientKey, signature } from './client-assertion.js'

/** What a request is for: what a proof of it has to name. */
export interface ProofTarget {
  readonly method: string
  readonly url: string
}

/** What a proof says where it does not say what it should. `undefined` leaves a member out. */
export interface ProofParts {
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
  /** Changes the payload as text, for numbers that JavaScript cannot write. */
  readonly payload?: (json: string) => string
  /** Signs with another key than the header names. */
  readonly signer?: Pick<ClientKey, 'alg' | 'privateKey'>
  /** Stands in place of the signature, base64url. */
  readonly signature?: string
}

/** The hash of a key that a proof names (RFC 9449 4.2). */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

/** A DPoP proof (RFC 9449 4.2), well-formed but for what `parts` say. */
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
