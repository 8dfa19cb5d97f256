import { unlessRefused } from '../base/caught-refusal.js'
import { malformed } from '../base/errors.js'
import { LOOPBACK_HOSTS } from '../base/network.js'
import { EXCHANGE_GRANT } from '../base/oauth-names.js'
import { isObject } from '../base/object.js'
import { CERTIFICATE_NAME_MEMBERS, certificateNameFault } from '../certificates/certificate-name.js'
import type { JwkSet } from '../jose/jwk.js'
import type { Claims } from '../jose/jws.js'
import { CLIENT_AUTHENTICATION_METHODS, type ClientAuthenticationMethod } from '../ports/methods.js'
import { hasSigningKey, keySetFault, plainKeySet, SIGNING_KEY } from './client-keys.js'
import { namesCertificate } from './registered-certificates.js'
import { parseScope, SCOPES_OF_PROVISIONED } from './scopes.js'

/** Validated client metadata (RFC 7591 2), in its wire names. It has no unknown members. */
export interface AcceptedMetadata {
  readonly token_endpoint_auth_method: ClientAuthenticationMethod
  readonly grant_types: readonly string[]
  readonly scope?: string
  readonly [member: string]: unknown
}

/** The grants of the token endpoint. A client can register for each of them. */
export const GRANT_TYPES = ['client_credentials', EXCHANGE_GRANT] as const
export type GrantType = (typeof GRANT_TYPES)[number]

/** Returns the expected value in words, or `undefined` if the value is valid. */
type Check = (value: unknown) => string | undefined

const CHECKS: Readonly<Record<string, Check>> = {
  token_endpoint_auth_method: oneOf(CLIENT_AUTHENTICATION_METHODS),
  grant_types: listOf(oneOf(GRANT_TYPES)),
  response_types: (value) => (Array.isArray(value) && value.length === 0 ? undefined : 'an empty list'),
  client_name: text(256),
  client_uri: webPage,
  logo_uri: webPage,
  tos_uri: webPage,
  policy_uri: webPage,
  contacts: listOf(text(320)),
  scope: text(4096),
  software_id: text(256),
  software_version: text(256),
  jwks: keySetFault,
  dpop_bound_access_tokens: flag,
  tls_client_certificate_bound_access_tokens: flag,
  ...Object.fromEntries(
    CERTIFICATE_NAME_MEMBERS.map((name) => [name, (value: unknown) => certificateNameFault(name, value)]),
  ),
}

/** Members for people to read can have a language tag, such as `client_name#de` (RFC 7591 2.2). */
const TAGGED = /^(client_name|client_uri|logo_uri|tos_uri|policy_uri)#[a-z]{1,8}(-[a-z0-9]{1,8}){0,7}$/i

/** All members that this server checks. `jwks_uri` is always refused. */
const KNOWN_MEMBERS: readonly string[] = [...Object.keys(CHECKS), 'redirect_uris', 'jwks_uri']

/** Whether this server knows a member of client metadata (RFC 7591 2). */
export function isMetadataMember(name: string): boolean {
  return KNOWN_MEMBERS.includes(name) || TAGGED.test(name)
}

export interface MetadataBounds {
  /** The scopes that the policy allows the client. */
  readonly scopes: ReadonlySet<string>
  /** The methods for which the client has a bound key or certificate. It needs none in its metadata for them. */
  readonly boundMethods?: readonly ClientAuthenticationMethod[]
}

/**
 * Validates the metadata of a registration.
 *
 * @throws ProvisioningError `metadata_invalid`, `redirect_uri_invalid`
 */
export function acceptMetadata(body: Claims, bounds: MetadataBounds): AcceptedMetadata {
  if (body.redirect_uris !== undefined && !isRedirectUris(body.redirect_uris)) {
    throw malformed('redirect_uri_invalid', REDIRECT_URIS)
  }
  if (body.jwks_uri !== undefined) {
    throw invalid(
      'jwks_uri: send the keys themselves as jwks; this server fetches no address that a registrant names.',
    )
  }
  const known = checksOf(body)
  for (const [name, check] of known) {
    const expected = check(body[name])
    // The client chooses the text of the language tag, so the message does not repeat it.
    if (expected !== undefined)
      throw invalid(`${name.replace(/#.*/, ' (in a language)')}: expected ${expected}.`)
  }
  requireCredentials(body, bounds.boundMethods ?? [])
  const accepted = Object.fromEntries(known.map(([name]) => [name, body[name]]))
  if (body.redirect_uris !== undefined) accepted.redirect_uris = body.redirect_uris
  if (accepted.jwks !== undefined) accepted.jwks = plainKeySet(accepted.jwks as { keys: readonly Claims[] })
  if (typeof accepted.scope === 'string') requirePermitted(accepted.scope, bounds.scopes)
  return {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: GRANT_TYPES,
    ...accepted,
  }
}

/** The checks of the known members in a body, with and without language tags. */
function checksOf(body: Claims): (readonly [name: string, check: Check])[] {
  const plain = Object.entries(CHECKS).filter(([name]) => Object.hasOwn(body, name))
  const tagged = Object.keys(body).flatMap((name) => {
    const check = TAGGED.test(name) ? CHECKS[name.replace(/#.*/, '')] : undefined
    return check === undefined ? [] : [[name, check] as const]
  })
  return [...plain, ...tagged]
}

/** A method by key or certificate needs one in the metadata, unless the client has bound one. */
function requireCredentials(body: Claims, boundMethods: readonly ClientAuthenticationMethod[]): void {
  const methods = [body.token_endpoint_auth_method].filter(
    (method) => !boundMethods.some((one) => one === method),
  )
  // The check of the members has found a JWK Set, or nothing.
  const jwks = body.jwks as JwkSet | undefined
  if (methods.includes('private_key_jwt') && !(jwks && hasSigningKey(jwks)))
    throw invalid(`jwks: expected ${SIGNING_KEY}.`)
  const fault = certificateMetadataFault(body, methods)
  if (fault !== undefined) throw invalid(`${fault[0]}: expected ${fault[1]}.`)
}

const REDIRECT_URIS =
  'redirect_uris: expected a list of 1 to 32 absolute URIs without fragment or credentials: https, http on a loopback ' +
  'address, or a private-use scheme with a dot in it.'

/** RFC 7591 2, RFC 9700 2.1 and 4.1, RFC 8252 7: exact URIs without a fragment, over TLS or to the same device. */
function isRedirectUris(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.length <= 32 && value.every(isRedirectUri)
}

function isRedirectUri(uri: unknown): boolean {
  if (
    typeof uri !== 'string' ||
    uri.length > 2048 ||
    !/^[\x21-\x5b\x5d-\x7e]+$/.test(uri) ||
    !URL.canParse(uri)
  ) {
    return false
  }
  // Parsers disagree about the host of an https URL without its two slashes.
  if (/^https?:/i.test(uri) && !/^https?:\/\/[^/]/i.test(uri)) return false
  const { protocol, hostname, username, password } = new URL(uri)
  if (uri.includes('#') || uri.includes('*') || username !== '' || password !== '') return false
  return (
    protocol === 'https:' || (protocol === 'http:' ? LOOPBACK_HOSTS.has(hostname) : protocol.includes('.'))
  )
}

function requirePermitted(scope: string, permitted: ReadonlySet<string>): void {
  const scopes = unlessRefused(() => parseScope(scope))
  if (scopes === undefined) throw invalid('scope: expected scope tokens separated by single spaces.')
  if (!scopes.every((one) => permitted.has(one))) {
    throw invalid(`scope: expected only scopes that the client may have. ${SCOPES_OF_PROVISIONED}`)
  }
}

function invalid(message: string) {
  return malformed('metadata_invalid', message)
}

function oneOf(values: readonly string[]): Check {
  return (value) => (values.includes(value as string) ? undefined : `one of ${values.join(', ')}`)
}

function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > 32) return 'a list of 1 to 32 entries'
    const expected = value.map(check).find((fault) => fault !== undefined)
    return expected === undefined ? undefined : `a list in which each entry is ${expected}`
  }
}

function text(longest: number): Check {
  return (value) =>
    isText(value, longest)
      ? undefined
      : `a string of 1 to ${longest} characters without control characters, ${MISLEADING_WORDS}`
}

/**
 * Characters that change how a log or a page shows the text around them: control characters, line separators, and
 * characters that change the direction of text. A lone surrogate is no character, and many programs refuse it.
 */
const MISLEADING = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
const MISLEADING_WORDS = 'line separators, direction marks and lone surrogates'

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longest && !MISLEADING.test(value)
}

function flag(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : 'true or false'
}

function webPage(value: unknown): string | undefined {
  const fits = isText(value, 2048) && /^https:\/\/\S+$/i.test(value) && URL.canParse(value)
  return fits ? undefined : 'an https URL'
}

/**
 * Checks that client metadata fit the methods by certificate.
 *
 * @returns the first wrong member and its expected value in words, or `undefined`
 */
export function certificateMetadataFault(
  metadata: Claims,
  methods: readonly unknown[],
): readonly [member: string, expected: string] | undefined {
  const named = CERTIFICATE_NAME_MEMBERS.filter((name) => metadata[name] !== undefined)
  const [, second] = named
  // RFC 8705 2.1.2: a client names its certificate by exactly one member.
  if (second !== undefined) return [second, `to be the only one of ${CERTIFICATE_NAME_MEMBERS.join(', ')}`]
  if (methods.includes('tls_client_auth') && named.length === 0)
    return [
      'token_endpoint_auth_method',
      `one of ${CERTIFICATE_NAME_MEMBERS.join(', ')} with tls_client_auth`,
    ]
  if (methods.includes('self_signed_tls_client_auth') && !namesCertificates(metadata.jwks))
    return ['jwks', 'a key with x5c or x5t#S256, for signatures, for self_signed_tls_client_auth']
  return undefined
}

function namesCertificates(jwks: unknown): boolean {
  const keys = isObject(jwks) ? jwks.keys : undefined
  return Array.isArray(keys) && keys.some(namesCertificate)
}
