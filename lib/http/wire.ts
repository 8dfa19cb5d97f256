import { IncomingMessage, type OutgoingMessage } from 'node:http'
import type { Request, Response } from 'express'
import { ipAddress } from '../base/network.js'
import { isObject } from '../base/object.js'
import { type PresentedRequest, SECRET_PARAMETERS } from '../base/request.js'
import { REDACTED } from '../base/secret.js'

export type PresentedTls = Pick<PresentedRequest, 'certificate' | 'certificateFault'>

/** Reads the client certificate of a request. */
export type ReadTls = (req: Request, fields: HeaderFields) => PresentedTls

/** Reads the parts of a request that the protocol needs. `readTls` reads its client certificate. */
export function read(req: Request, readTls: ReadTls = withoutCertificate): PresentedRequest {
  const { method, rawHeaders, originalUrl, headers } = req
  const fields = headerFields(rawHeaders)
  const { authorization, dpop } = fields
  const { certificate, certificateFault } = readTls(req, fields)
  const query = originalUrl.indexOf('?')
  const body: unknown = req.body
  return {
    method,
    authorization,
    dpop,
    queryNames: query === -1 ? [] : [...new URLSearchParams(originalUrl.slice(query + 1)).keys()],
    tokenInBody: typeof body === 'object' && body !== null && Object.hasOwn(body, 'access_token'),
    certificate,
    certificateFault,
    address: ipAddress(req.ip),
    userAgent: headers['user-agent'],
    traceparent: oneOf(headers.traceparent),
  }
}

/** The host that a request is for, with its port. Over HTTP/2, it has a header of its own (RFC 9113 8.3.1). */
export function hostOf({ headers }: Pick<Request, 'headers'>): string | undefined {
  return headers.host ?? oneOf(headers[':authority'])
}

/** The value of a field that may not be repeated. */
function oneOf(field: string | readonly string[] | undefined): string | undefined {
  return typeof field === 'string' ? field : undefined
}

const withoutCertificate = (): PresentedTls => ({ certificate: undefined })

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
  if (
    presented.queryNames.length > 0 &&
    SECRET_PARAMETERS.some((name) => presented.queryNames.includes(name))
  )
    redactQuery(req)
  return presented
}

function redactHeader(req: Request, name: string): void {
  const { headers, rawHeaders } = req
  delete headers[name]
  // Node makes `headersDistinct` from `rawHeaders` when it is first read. To make it only for this would take 2 us.
  if (HEADERS_DISTINCT === undefined || Reflect.get(req, HEADERS_DISTINCT)) delete req.headersDistinct[name]
  // Replace the value and do not remove it, because Node relies on the length of this list.
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === name.length && rawHeaders[i]?.toLowerCase() === name)
      rawHeaders[i + 1] = REDACTED
  }
}

/** Where Node keeps `headersDistinct` once it has been read. */
const HEADERS_DISTINCT = distinctSymbol()

function distinctSymbol(): symbol | undefined {
  // A real message needs a socket, which takes a millisecond of each import of this package.
  const message: IncomingMessage = Object.create(IncomingMessage.prototype, { rawHeaders: { value: [] } })
  return (
    message.headersDistinct &&
    Object.getOwnPropertySymbols(message).find((one) => /distinct/i.test(`${one.description}`))
  )
}

/** Removes the query from a request, wherever Express and `parseurl` keep it. */
export function redactQuery(req: Request): void {
  // Express 4 has already parsed the query into a member of the request. Express 5 parses it on each access, with a
  // parser of the host that may throw.
  const { value: parsed } = Object.getOwnPropertyDescriptor(req, 'query') ?? {}
  if (isObject(parsed)) for (const name of Object.keys(parsed)) Reflect.deleteProperty(parsed, name)
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
  // Express adds it before any middleware runs, and only some apps switch it off.
  res.removeHeader('X-Powered-By')
  const defaults = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }
  for (const [name, value] of Object.entries({ ...defaults, ...headers })) {
    res.setHeader(name, typeof value === 'string' ? value : [...value])
  }
  if (headers?.['Cache-Control'] !== undefined) res.removeHeader('Pragma')
  if (body === undefined) {
    res.end()
    return
  }
  const text = JSON.stringify(body)
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Content-Length', Buffer.byteLength(text))
  // Node sends a text together with the headers, but bytes after them.
  res.end(text)
}

/** Whether V8 makes a hidden class for each request of Express. */
const MAKES_CLASSES = Number.parseInt(process.versions.node, 10) < 24

/**
 * Makes V8 keep the properties of a request and its response in dictionaries. The whole request then takes 30 % less time.
 *
 * Express gives both a prototype of the app. Before Node 24, V8 then makes a hidden class for each of them, and copies it
 * for each property that Express or a middleware adds: 1.4 us and 1.4 KB each. V8 stops this when a property is deleted,
 * so two members are deleted and set again. To do this a second time takes 0.1 us.
 */
export function avoidHiddenClasses(req: IncomingMessage, res: OutgoingMessage): void {
  if (!MAKES_CLASSES) return
  const request = req as { upgrade?: unknown }
  const { upgrade } = request
  const { sendDate } = res
  // The requests and responses of HTTP/2 do not have these members.
  if (upgrade === undefined || sendDate === undefined) return
  Reflect.deleteProperty(request, 'upgrade')
  request.upgrade = upgrade
  Reflect.deleteProperty(res, 'sendDate')
  res.sendDate = sendDate
}

/** The header fields of a request that the protocol reads. */
export interface HeaderFields {
  readonly authorization: readonly string[]
  readonly dpop: readonly string[]
  readonly clientCert: readonly string[]
  /** Whether a proxy says that it forwards the request. */
  readonly isForwarded: boolean
}

/**
 * Reads the fields from `rawHeaders`, because Node drops the second of two `Authorization` headers elsewhere. It looks
 * at a name only if its length fits, which saves 3 us for each request.
 */
export function headerFields(rawHeaders: readonly string[]): HeaderFields {
  const authorization: string[] = []
  const dpop: string[] = []
  const clientCert: string[] = []
  let isForwarded = false
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    if (!LENGTHS.has(name.length)) continue
    // A stranger can repeat a field 1,700 times, so the lists must not be copied.
    const lower = name.toLowerCase()
    if (lower === 'authorization') authorization.push(value)
    else if (lower === 'dpop') dpop.push(value)
    else if (lower === 'client-cert') clientCert.push(value)
    else isForwarded ||= FORWARDING.has(lower)
  }
  return { authorization, dpop, clientCert, isForwarded }
}

const FORWARDING = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'])
const LENGTHS = new Set(['authorization', 'dpop', 'client-cert', ...FORWARDING].map(({ length }) => length))
