import type { Request, Response } from 'express'
import { type ErrorCode, ProvisioningError, type Reason } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import { REMEDIES } from '../base/remedies.js'
import type { Credential, PresentedRequest } from '../base/request.js'
import { jwtsIn, registrationTokensIn, scrub } from '../base/secret.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import type { Emit, EndpointName } from '../ports/events.js'
import { answer, redactQuery } from './wire.js'

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
  /** Whether every caller gets the precise reason and what to do about it. */
  readonly explains: boolean
  /** The page that explains refusals. */
  readonly docsUrl: string | undefined
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
  removeSecrets(res.req, error, site)
  const status = statusOf(error, site)
  const { clientId, subject, jti: keyId, tokenId, expiresAt, isForwardedByStranger } = facts
  const identity = withoutUndefined({ clientId, subject, keyId, tokenId, expiresAt, isForwardedByStranger })
  const details = {
    endpoint: site.endpoint,
    error: code,
    reason,
    detail: detailOf(error),
    status,
    ...identity,
  }
  site.emit('request.refused', details, presented)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const description = describeRefusal(error, site)
  // RFC 6750 3.1: no error code if the request has no credentials.
  const hasCredentials = reason !== 'credentials_missing'
  const body = {
    ...(hasCredentials && { error: code }),
    error_description: description,
    ...linkOf(error, site),
  }
  const headers = refusalHeaders(error, hasCredentials ? body : {}, presented, site)
  answer(res, { status, body, headers })
}

/** Removes secrets from a request that ends here, so that no later logger of the host can print them. */
function removeSecrets(req: Request, { reason }: ProvisioningError, { endpoint }: RefusalSite): void {
  const query = req.originalUrl.replace(/^[^?]*/, '')
  if ([...jwtsIn(query), ...registrationTokensIn(query)].length > 0) redactQuery(req)
  // A handler of the host can still be at work on the body of its own route.
  const isOfHost = (endpoint === 'resource' || endpoint === 'redeem') && reason !== 'cleartext'
  if (!isOfHost && req.body !== undefined) req.body = {}
}

function statusOf({ code, reason }: ProvisioningError, { challenges }: RefusalSite): number {
  const atResource = challenges === 'resource' ? RESOURCE_STATUS[code] : undefined
  return STATUS_OF_REASON[reason] ?? atResource ?? STATUS[code]
}

/** Turns an unexpected error into a refusal with 500. Only the event gets its message. */
function asRefusal(thrown: unknown): ProvisioningError {
  if (thrown instanceof ProvisioningError) return thrown
  return new ProvisioningError('server_fault', 'The app threw an unexpected error.', { cause: thrown })
}

/** The `error_description`, in the characters of RFC 6749 5.2 and RFC 6750 3: `%x20-21 / %x23-5B / %x5D-7E`. */
function describeRefusal(error: ProvisioningError, { explains, credential }: RefusalSite): string {
  const text = error.disclosed ? error.message : uniformSentence(error.code, credential ?? 'provisioning key')
  return (explains ? explanationOf(error) : text)
    .replaceAll('"', "'")
    .replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
    .slice(0, 400)
}

/** The error descriptions for unauthenticated callers. */
const UNIFORM: Record<ErrorCode, string> = {
  invalid_request: 'The request cannot be accepted.',
  invalid_token: 'The provisioning key is not accepted.',
  invalid_dpop_proof: 'The DPoP proof is not accepted.',
  use_dpop_nonce: 'The DPoP proof must carry a nonce.',
  insufficient_scope: 'The provisioning key lacks the scope for this.',
  invalid_client: 'The client could not be authenticated.',
  unauthorized_client: 'The client may not do this.',
  unsupported_grant_type: 'The grant type is not supported.',
  invalid_scope: 'The scope cannot be granted.',
  invalid_target: 'The resource cannot be granted.',
  invalid_client_metadata: 'The client metadata cannot be accepted.',
  invalid_redirect_uri: 'The redirect URIs cannot be accepted.',
  invalid_software_statement: 'The software statement cannot be accepted.',
  unapproved_software_statement: 'The software statement is not approved.',
  slow_down: 'Too many requests; try again later.',
  temporarily_unavailable: 'The service cannot answer at this moment; try again later.',
  server_error: 'The server met an unexpected condition.',
}

const OF_ACCESS_TOKENS: Partial<Record<ErrorCode, string>> = {
  invalid_token: 'The access token is not accepted.',
  insufficient_scope: 'The access token lacks the scope for this.',
}

/** The error description of a code for unauthenticated callers. It names the expected credential. */
function uniformSentence(code: ErrorCode, credential: Credential): string {
  return (credential === 'access token' ? OF_ACCESS_TOKENS[code] : undefined) ?? UNIFORM[code]
}

/** For callers on the same machine only: a thief must not learn what a replay has ended. */
function explanationOf(error: ProvisioningError): string {
  const sentences = [detailOf(error), error.facts.consequence, REMEDIES[error.reason]]
  return sentences.filter((one) => one !== undefined).join(' ')
}

/** The message with its cause, without secrets. */
function detailOf({ message, cause }: ProvisioningError): string {
  if (!(cause instanceof Error)) return scrub(message)
  const [what, why] = [message, cause.message].map((text) => text.replace(/\.$/, ''))
  return scrub(`${what} (${why}).`)
}

/** The link to the explanation of the refusal. It contains the reason only if the reason may be disclosed. */
function linkOf({ code, reason, disclosed }: ProvisioningError, { explains, docsUrl }: RefusalSite) {
  if (docsUrl === undefined || reason === 'credentials_missing') return {}
  return { error_uri: `${new URL(docsUrl).href}#${explains || disclosed ? reason : code}` }
}

/** The members of the body that the challenge repeats. */
interface ErrorMembers {
  readonly error?: ErrorCode
  readonly error_description?: string
  readonly error_uri?: string
}

function refusalHeaders(
  error: ProvisioningError,
  members: ErrorMembers,
  presented: PresentedRequest,
  site: RefusalSite,
): Record<string, string | readonly string[]> {
  const { code, reason, facts } = error
  const headers: Record<string, string | readonly string[]> = {}
  const retryAfter = facts.retryAfterSeconds ?? RETRY_AFTER_SECONDS[code]
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter)
  if (facts.allowedMethods !== undefined) headers.Allow = facts.allowedMethods
  // RFC 6749 5.2, RFC 9110 15.5.2. Client libraries hide the error code behind a challenge, so a client that used
  // another method than the header gets none.
  const expectsHeader = presented.authorization.length > 0 || reason === 'client_authentication_missing'
  if (code === 'invalid_client' && expectsHeader) {
    headers['WWW-Authenticate'] = `Basic realm="${site.realm}", charset="UTF-8"`
  }
  if (site.challenges !== 'client' && CHALLENGED.has(code) && STATUS_OF_REASON[reason] === undefined) {
    headers['WWW-Authenticate'] = challenges(error, members, presented, site)
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
  members: ErrorMembers,
  presented: PresentedRequest,
  site: RefusalSite,
): readonly string[] {
  const { reason, facts } = error
  const common = { realm: site.realm, resource_metadata: site.resourceMetadata }
  const forScheme = { ...common, ...members, scope: facts.requiredScope }
  if (site.challenges === 'bearer') return [challenge('Bearer', { realm: site.realm, ...members })]
  const algs = { algs: PROOF_ALGORITHMS.join(' ') }
  const usesDpop =
    presented.authorization.some((header) => /^dpop\b/i.test(header)) || reason.startsWith('dpop_')
  return usesDpop
    ? [challenge('DPoP', { ...forScheme, ...algs }), challenge('Bearer', common)]
    : [challenge('Bearer', forScheme), challenge('DPoP', { ...common, ...algs })]
}

function challenge(scheme: string, parameters: Record<string, string | undefined>): string {
  const written = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return `${scheme} ${written.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
