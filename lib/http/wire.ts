import type { Request, Response } from 'express'
import { ipAddress } from '../base/network.js'
import { type PresentedRequest, SECRET_PARAMETERS } from '../base/request.js'
import { REDACTED } from '../base/secret.js'
import type { PresentedTls } from './client-certificate.js'

/** Reads the parts of a request that the protocol needs. `tls` holds its client certificate. */
export function read(req: Request, tls: PresentedTls = { certificate: undefined }): PresentedRequest {
  const { rawHeaders, ip, method } = req
  const fieldsOf = (name: string) =>
    rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name)
  const authorization = fieldsOf('authorization')
  const query = req.originalUrl.indexOf('?')
  const queryNames = new Set(query === -1 ? [] : new URLSearchParams(req.originalUrl.slice(query + 1)).keys())
  const body: unknown = req.body
  const tokenInBody = typeof body === 'object' && body !== null && Object.hasOwn(body, 'access_token')
  const dpop = fieldsOf('dpop')
  return { method, authorization, dpop, queryNames, tokenInBody, ...tls, address: ipAddress(ip) }
}

/** The headers that carry credentials. A server that does not remember used proofs would accept a proof again. */
const CREDENTIAL_HEADERS = ['authorization', 'dpop'] as const

/**
 * Removes credentials from a request, so that no later middleware can log them: their headers, wherever Node keeps
 * them, and the whole query if it contains a token.
 */
export function scrubRequest(req: Request, presented: PresentedRequest): PresentedRequest {
  for (const name of CREDENTIAL_HEADERS) if (presented[name].length > 0) redactHeader(req, name)
  // A token in a parsed body (RFC 6750 2.2) is refused or ignored, but it must not stay in the request.
  if (presented.tokenInBody) Object.assign(req.body, { access_token: REDACTED })
  if (SECRET_PARAMETERS.some((name) => presented.queryNames.has(name))) redactQuery(req)
  return presented
}

function redactHeader({ headers, headersDistinct, rawHeaders }: Request, name: string): void {
  delete headers[name]
  delete headersDistinct[name]
  // Replace the value and do not remove it, because Node relies on the length of this list.
  for (const [i, text] of rawHeaders.entries()) {
    if (i % 2 === 0 && text.toLowerCase() === name) rawHeaders[i + 1] = REDACTED
  }
}

/** Removes the query from a request, wherever Express and `parseurl` keep it. */
export function redactQuery(req: Request): void {
  // Express 4 has already parsed the query into its own member.
  for (const name of Object.keys(req.query)) delete req.query[name]
  for (const memory of ['_parsedUrl', '_parsedOriginalUrl']) Reflect.deleteProperty(req, memory)
  req.url = withoutQuery(req.url)
  req.originalUrl = withoutQuery(req.originalUrl)
}

function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, `?${REDACTED}`)
}

/** An answer of ours, before it is written. */
export interface Answer {
  readonly status: number
  readonly body?: object
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

/** Writes an answer. It must not be cached unless its headers allow it (RFC 6749 5.1). */
export function answer(res: Response, { status, body, headers }: Answer): void {
  res.statusCode = status
  const defaults = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }
  for (const [name, value] of Object.entries({ ...defaults, ...headers })) {
    res.setHeader(name, typeof value === 'string' ? value : [...value])
  }
  if (headers?.['Cache-Control'] !== undefined) res.removeHeader('Pragma')
  if (body === undefined) {
    res.end()
    return
  }
  const bytes = Buffer.from(JSON.stringify(body))
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Content-Length', bytes.length)
  res.end(bytes)
}
