import type { Request, Response } from 'express'
import { type ErrorCode, ProvisioningError, type Reason } from '../base/errors.js'
import { ipAddress } from '../base/network.js'
import { type Credential, type PresentedRequest, SECRET_PARAMETERS } from '../base/request.js'
import { jwtsIn, REDACTED, registrationTokensIn, scrub } from '../base/secret.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import type { Emit, EndpointName } from '../ports/events.js'
import type { PresentedTls } from './client-certificate.js'
import { uniformSentence } from './uniform.js'

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
function redactQuery(req: Request): void {
  // Express 4 has already parsed the query into its own member.
  for (const name of Object.keys(req.query)) delete req.query[name]
  for (const memory of ['_parsedUrl', '_parsedOriginalUrl']) Reflect.deleteProperty(req, memory)
  req.url = withoutQuery(req.url)
  req.originalUrl = withoutQuery(req.originalUrl)
}

function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, `?${REDACTED}`)
}

function withoutPath(url: string): string {
  return url.replace(/^[^?]*/, '')
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

/** The endpoint of a refusal, and the contents of its challenge. */
export interface RefusalSite {
  readonly endpoint: EndpointName
  /** `resource` challenges for a key (RFC 6750 3), `bearer` for a token without proof, `client` as RFC 6749 5.2 does. */
  readonly challenges: 'resource' | 'bearer' | 'client'
  /** The expected credential. Default: a provisioning key. */
  readonly credential?: Credential
  readonly realm: string
  /** The URL of the resource's metadata (RFC 9728 5.1), if it has any. */
  readonly resourceMetadata?: string | undefined
  readonly emit: Emit
}

const STATUS: Record<ErrorCode, number> = {
  invalid_request: 400,
  invalid_token: 401,
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  insufficient_scope: 403,
  invalid_client: 401,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_client_metadata: 400,
  invalid_redirect_uri: 400,
  invalid_software_statement: 400,
  unapproved_software_statement: 400,
  slow_down: 429,
  temporarily_unavailable: 503,
  server_error: 500,
}

/** Codes with another status at a resource than at the token endpoint (RFC 9449 7.1). */
const RESOURCE_STATUS: Partial<Record<ErrorCode, number>> = { invalid_dpop_proof: 401, use_dpop_nonce: 401 }

const STATUS_OF_REASON: Partial<Record<Reason, number>> = {
  cleartext: 403,
  method_not_allowed: 405,
  client_changed: 409,
  redemption_pending: 409,
  body_too_large: 413,
  media_type_unsupported: 415,
}

const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = { slow_down: 60, temporarily_unavailable: 5 }

/** Writes a refusal, and emits an event with the precise reason. */
export function refuse(res: Response, thrown: unknown, presented: PresentedRequest, site: RefusalSite): void {
  const error = asRefusal(thrown)
  const { code, reason, facts } = error
  // The request ends here, so no handler needs the query. Remove it if any parameter contains a key.
  const query = withoutPath(res.req.originalUrl)
  if ([...jwtsIn(query), ...registrationTokensIn(query)].length > 0) redactQuery(res.req)
  const status =
    STATUS_OF_REASON[reason] ??
    (site.challenges === 'resource' ? RESOURCE_STATUS[code] : undefined) ??
    STATUS[code]
  site.emit('request.refused', {
    endpoint: site.endpoint,
    code,
    reason,
    detail: scrub(`${error.message}${error.cause instanceof Error ? ` (${error.cause.message})` : ''}`),
    status,
    address: presented.address,
    ...(facts.clientId !== undefined && { clientId: facts.clientId }),
    ...(facts.jti !== undefined && { keyId: facts.jti }),
    ...(facts.tokenId !== undefined && { tokenId: facts.tokenId }),
  })
  if (res.headersSent) {
    res.destroy()
    return
  }
  const description = describeRefusal(error, site.credential ?? 'provisioning key')
  const body = { ...(reason !== 'credentials_missing' && { error: code }), error_description: description }
  answer(res, { status, body, headers: refusalHeaders(error, description, presented, site) })
}

/** Turns a foreign error into a 500 without details. Only the event gets its message. */
function asRefusal(thrown: unknown): ProvisioningError {
  if (thrown instanceof ProvisioningError) return thrown
  return new ProvisioningError('server_fault', 'An unexpected error was thrown.', { cause: thrown })
}

/** RFC 6749 5.2 and RFC 6750 3: `%x20-21 / %x23-5B / %x5D-7E`. */
function describeRefusal(error: ProvisioningError, credential: Credential): string {
  const text = error.disclosed ? error.message : uniformSentence(error.code, credential)
  return text
    .replaceAll('"', "'")
    .replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
    .slice(0, 400)
}

function refusalHeaders(
  error: ProvisioningError,
  description: string,
  presented: PresentedRequest,
  site: RefusalSite,
): Record<string, string | readonly string[]> {
  const { code, reason, facts } = error
  const headers: Record<string, string | readonly string[]> = {}
  const retryAfter = facts.retryAfterSeconds ?? RETRY_AFTER_SECONDS[code]
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter)
  if (facts.allowedMethods !== undefined) headers.Allow = facts.allowedMethods
  if (code === 'invalid_client' && presented.authorization.length > 0) {
    headers['WWW-Authenticate'] = `Basic realm="${site.realm}", charset="UTF-8"`
  }
  if (site.challenges !== 'client' && CHALLENGED.has(code) && STATUS_OF_REASON[reason] === undefined) {
    headers['WWW-Authenticate'] = challenges(error, description, presented, site)
  }
  return headers
}

const CHALLENGED: ReadonlySet<ErrorCode> = new Set([
  'invalid_request',
  'invalid_token',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'insufficient_scope',
])

/** One challenge per scheme. The scheme of the request comes first and has the error (RFC 6750 3, RFC 9449 7.1). */
function challenges(
  error: ProvisioningError,
  description: string,
  presented: PresentedRequest,
  site: RefusalSite,
): readonly string[] {
  const { code, reason, facts } = error
  const common = { realm: site.realm, resource_metadata: site.resourceMetadata }
  // RFC 6750 3.1: no error code if the request has no credentials.
  const fault = reason === 'credentials_missing' ? {} : { error: code, error_description: description }
  const told = { ...common, ...fault, scope: facts.requiredScope }
  if (site.challenges === 'bearer') return [challenge('Bearer', { realm: site.realm, ...fault })]
  const algs = { algs: PROOF_ALGORITHMS.join(' ') }
  const usesDpop =
    presented.authorization.some((header) => /^dpop\b/i.test(header)) || reason.startsWith('dpop_')
  return usesDpop
    ? [challenge('DPoP', { ...told, ...algs }), challenge('Bearer', common)]
    : [challenge('Bearer', told), challenge('DPoP', { ...common, ...algs })]
}

function challenge(scheme: string, parameters: Record<string, string | undefined>): string {
  const written = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return `${scheme} ${written.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
