import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isObject, parseObject } from '../../base/object.js'
import { claimsOf } from '../../client/provisioning-key.js'

/** The endpoints that a client uses to enroll. */
export type Endpoint = 'metadata' | 'token' | 'bind' | 'other'

/** The proof of a request that its sender has a private key. */
export interface Proof {
  /** The public key. */
  readonly key: string
  /** The claim `jti`. */
  readonly jti: string
}

/** A request as it arrived. */
export interface ReceivedRequest {
  readonly endpoint: Endpoint
  /** 1 for the first request to this endpoint. */
  readonly number: number
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The DPoP proof (RFC 9449 4.2), or the proof in the body. */
  readonly proof?: Proof
  /** By the monotonic clock, in milliseconds. */
  readonly receivedAt: number
}

/** An answer to send. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string
}

/** How an exchange ended: with this answer, a closed connection, or no answer at all. */
export type Reaction = Answer | 'lost' | 'silent'

/** A request and what became of it. */
export interface Exchange {
  readonly request: ReceivedRequest
  /** The status of the answer; `undefined` if the client got none. */
  status?: number
  /** When the answer was sent, or the connection closed. By the monotonic clock, in milliseconds. */
  answeredAt?: number
}

/** An answer with JSON. */
export function jsonAnswer(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const own = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  return { status, headers: { ...own, ...headers }, body: JSON.stringify(body) }
}

/** Reads the proof of a request. It is not verified: the issuer does that. */
export function proofIn({ dpop }: IncomingHttpHeaders, body: string): Proof | undefined {
  const sent = parseObject(body) ?? {}
  const token = typeof dpop === 'string' ? dpop : sent['proof']
  if (typeof token !== 'string') return undefined
  const jwk =
    typeof dpop === 'string'
      ? parseObject(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())?.['jwk']
      : sent['jwk']
  const jti = claimsOf(token)?.['jti']
  return { key: isObject(jwk) ? nameOf(jwk) : '', jti: typeof jti === 'string' ? jti : '' }
}

/** What must be the same if a request is repeated: everything but its proof. */
export function contentOf({ headers, body }: ReceivedRequest): string {
  const { proof: _, ...sent } = parseObject(body) ?? {}
  const content = Object.keys(sent).length > 0 ? JSON.stringify(sent) : body
  return JSON.stringify([headers.authorization, headers['content-type'], content])
}

function nameOf({ kty, crv, x, y, n, e }: Record<string, unknown>): string {
  return createHash('sha256')
    .update(JSON.stringify([kty, crv, x, y, n, e]))
    .digest('base64url')
}
