import { describe, describeSecret, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { hashSecret, isLongEnough, isSecretHash, SECRET_FORM } from '../base/secret.js'
import { CERTIFICATE_NAME_MEMBERS, certificateNameFault } from '../certificates/certificate-name.js'
import { keySetFault, keySetFormFault } from '../clients/client-keys.js'
import { certificateMetadataFault, GRANT_TYPES } from '../clients/client-metadata.js'
import { CLIENT_ID } from '../clients/policy.js'
import type { PublicJwk } from '../jose/jwk.js'
import type { Client } from '../ports/client.js'
import { CLIENT_AUTHENTICATION_METHODS, SECRET_METHODS } from '../ports/methods.js'
import { MOST_KEYS } from '../ports/policy-options.js'
import { BINDINGS, bindsBy, isNumericDate, noteBindings, noteBoundKeys } from './bindings.js'
import { readPolicy } from './policy.js'

/** A client as you write it down. */
export interface ClientOptions extends Partial<Client> {
  /** 1 to 255 printable ASCII characters. */
  readonly clientId: string
  /**
   * The client secret: at least 24 characters. Generate 256 random bits, such as with `openssl rand -hex 32`. Only a
   * hash of it is kept.
   */
  readonly clientSecret?: string
  /** The public keys it authenticates with by `private_key_jwt` (RFC 7523); the same as `metadata.jwks`. */
  readonly jwks?: { readonly keys: readonly PublicJwk[] }
}

/** What a member must be, and how to tell. */
type Rule = readonly [expected: string, accepts: (value: unknown) => boolean]

const METHODS = `a list of ${CLIENT_AUTHENTICATION_METHODS.join(', ')}`

const MEMBERS: Record<Exclude<keyof ClientOptions, 'policy'>, Rule> = {
  clientId: ['1 to 255 printable ASCII characters', (id) => typeof id === 'string' && CLIENT_ID.test(id)],
  clientSecret: [SECRET_FORM, isLongEnough],
  secretHash: [
    'what hashSecret() makes of a secret',
    (hash) => typeof hash === 'string' && isSecretHash(hash),
  ],
  secretExpiresAt: ['a NumericDate: whole seconds since 1970, not milliseconds', isNumericDate],
  authenticationMethods: [METHODS, isListOf(CLIENT_AUTHENTICATION_METHODS)],
  revision: ['a whole number from 1 on', (count) => Number.isSafeInteger(count) && Number(count) >= 1],
  bindings: BINDINGS,
  boundMethods: [METHODS, isListOf(CLIENT_AUTHENTICATION_METHODS)],
  metadata: [`client metadata (RFC 7591 2), its jwks 1 to ${MOST_KEYS} public keys`, isMetadata],
  jwks: [`a JWK Set of 1 to ${MOST_KEYS} public keys`, isKeySet],
  registeredBy: ['an object with clientId and keyId', isObject],
  registration: ['what was kept when it registered: issuedAt, scopes and tokens', isRegistration],
  flaggedAt: ['a NumericDate: whole seconds since 1970, not milliseconds', isNumericDate],
  deletedAt: ['a NumericDate: whole seconds since 1970, not milliseconds', isNumericDate],
}

const SECRETS: readonly string[] = ['clientSecret', 'secretHash', 'registration']

/** Reads a client of the configuration. All its keys are imported, so that a faulty one is noted. */
export function readClient(path: string, value: unknown, noted: Faults): Client | undefined {
  const client = readFoundClient(path, value, noted)
  if (isObject(value)) noteKeys(path, value, noted)
  return client
}

/** Imports the keys of a client, and notes those that are faulty although their form is not. */
function noteKeys(path: string, { jwks, metadata, bindings }: Record<string, unknown>, noted: Faults): void {
  const sets = { jwks, 'metadata.jwks': isObject(metadata) ? metadata.jwks : undefined }
  for (const [name, set] of Object.entries(sets)) {
    const expected = isKeySet(set) ? keySetFault(set) : undefined
    if (expected !== undefined) noted.add(join(path, name), expected, describe(set))
  }
  noteBoundKeys(join(path, 'bindings'), bindings, noted)
}

/**
 * Reads a client that a lookup function or a registry finds. The result is complete, a copy, and without a secret.
 *
 * Keys are checked by their form and not imported: a client that exists must not take longer than one that does not.
 * Authentication imports the keys that it tries, and refuses faulty ones.
 */
export function readFoundClient(path: string, value: unknown, noted: Faults): Client | undefined {
  if (!isObject(value)) {
    noted.add(path, 'an object with a clientId', describeSecret(value))
    return undefined
  }
  noted.addUnknownNames(path, value, [...Object.keys(MEMBERS), 'policy'])
  for (const [name, [expected, accepts]] of Object.entries(MEMBERS)) {
    const member = value[name]
    if ((member === undefined && name !== 'clientId') || accepts(member)) continue
    noted.add(join(path, name), expected, SECRETS.includes(name) ? describeSecret(member) : describe(member))
  }
  noteBindings(join(path, 'bindings'), value.bindings, noted)
  const policy = readPolicy(join(path, 'policy'), value.policy, noted)
  const methods = value.authenticationMethods ?? methodsFor(value)
  noteCredentials(path, value, methods, noted)
  const { clientSecret, jwks, policy: _, ...members } = value
  if (jwks !== undefined) members.metadata = { ...(isObject(members.metadata) && members.metadata), jwks }
  const secretHash = isLongEnough(clientSecret) ? { secretHash: hashSecret(clientSecret) } : {}
  const plain = clonePlain(path, members, noted)
  return Object.freeze({
    revision: 1,
    ...plain,
    authenticationMethods: Array.isArray(methods) ? Object.freeze([...methods]) : methods,
    policy,
    ...secretHash,
  }) as Client
}

/** The methods of a client that names none: those it has the credentials for. */
function methodsFor(client: Record<string, unknown>): readonly string[] {
  const { metadata, bindings } = client
  const isNamed = isObject(metadata) && CERTIFICATE_NAME_MEMBERS.some((name) => metadata[name] !== undefined)
  const methods = [
    ...(hasSecret(client) ? SECRET_METHODS : []),
    ...(hasKeys(client) ? ['private_key_jwt'] : []),
    ...(bindsBy(bindings, 'x5t#S256') ? ['self_signed_tls_client_auth'] : []),
  ]
  if (methods.length > 0) return methods
  return isNamed ? ['tls_client_auth'] : SECRET_METHODS
}

function hasSecret({ clientSecret, secretHash }: Record<string, unknown>): boolean {
  return clientSecret !== undefined || secretHash !== undefined
}

function hasKeys({ jwks, metadata, bindings }: Record<string, unknown>): boolean {
  const registered = jwks ?? (isObject(metadata) ? metadata.jwks : undefined)
  return registered !== undefined || bindsBy(bindings, 'jkt')
}

function noteCredentials(
  path: string,
  client: Record<string, unknown>,
  methods: unknown,
  noted: Faults,
): void {
  const { clientSecret, secretHash } = client
  if (clientSecret !== undefined && secretHash !== undefined) {
    noted.add(join(path, 'clientSecret'), 'either a clientSecret or a secretHash', 'both')
  }
  if (client.jwks !== undefined && isObject(client.metadata) && client.metadata.jwks !== undefined)
    noted.add(join(path, 'jwks'), 'either jwks or metadata.jwks', 'both')
  const wants = (names: readonly string[]) =>
    Array.isArray(methods) && names.some((one) => methods.includes(one))
  if (wants(SECRET_METHODS) && !hasSecret(client))
    noted.add(join(path, 'clientSecret'), 'a clientSecret or a secretHash, to authenticate with', 'neither')
  if (wants(['private_key_jwt']) && !hasKeys(client))
    noted.add(join(path, 'jwks'), 'the public keys it authenticates with', 'undefined')
  noteCertificates(path, client, Array.isArray(methods) ? methods : [], noted)
}

/** What is registered of the certificates it authenticates with (RFC 8705 2). */
function noteCertificates(
  path: string,
  { jwks, metadata, bindings }: Record<string, unknown>,
  methods: readonly unknown[],
  noted: Faults,
): void {
  const given: Record<string, unknown> = {
    ...(isObject(metadata) && metadata),
    ...(isObject(jwks) && { jwks }),
  }
  // Those that are absent too, so that time does not tell what a client has that was found.
  for (const name of CERTIFICATE_NAME_MEMBERS) {
    const expected = certificateNameFault(name, given[name])
    if (expected !== undefined) noted.add(join(path, `metadata.${name}`), expected, describe(given[name]))
  }
  // A client that has bound a certificate needs none in its metadata.
  const isBound = bindsBy(bindings, 'x5t#S256')
  const wanted = isBound ? methods.filter((one) => one !== 'self_signed_tls_client_auth') : methods
  const fault = certificateMetadataFault(given, wanted)
  if (fault === undefined) return
  const [member, expected] = fault
  const name = member === 'token_endpoint_auth_method' ? 'metadata' : `metadata.${member}`
  noted.add(join(path, name), expected, describe(given[member]))
}

function clonePlain(path: string, members: Record<string, unknown>, noted: Faults): Record<string, unknown> {
  try {
    return structuredClone(members)
  } catch {
    noted.add(path, 'plain JSON', 'something that cannot be copied')
    return {}
  }
}

function isListOf(values: readonly string[]): (value: unknown) => boolean {
  return (value) => Array.isArray(value) && value.every((one) => values.includes(one))
}

function isMetadata(value: unknown): boolean {
  if (!isObject(value) || (value.jwks !== undefined && !isKeySet(value.jwks))) return false
  const { tls_client_certificate_bound_access_tokens: bound = false } = value
  if (typeof bound !== 'boolean') return false
  return value.grant_types === undefined || isListOf(GRANT_TYPES)(value.grant_types)
}

function isRegistration(value: unknown): boolean {
  if (!isObject(value) || !isNumericDate(value.issuedAt)) return false
  const { scopes, tokens, secretRenewedAt = 0 } = value
  const areTokens = Array.isArray(tokens) && tokens.every(isRegistrationToken)
  const areScopes = Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')
  return areTokens && areScopes && isNumericDate(secretRenewedAt)
}

function isRegistrationToken(value: unknown): boolean {
  if (!isObject(value) || typeof value.hash !== 'string') return false
  return isSecretHash(value.hash) && isNumericDate(value.expiresAt)
}

function isKeySet(value: unknown): boolean {
  return keySetFormFault(value) === undefined
}
