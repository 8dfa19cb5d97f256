import { describeSecret, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { object, rule } from '../base/schema.js'
import { hashSecret, isLongEnough, isSecretHash, SECRET_FORM } from '../base/secret.js'
import { CERTIFICATE_NAME_MEMBERS, certificateNameFault } from '../certificates/certificate-name.js'
import { hasSigningKey, keySetFault, keySetFormFault, SIGNING_KEY } from '../clients/client-keys.js'
import { certificateMetadataFault } from '../clients/client-metadata.js'
import { CLIENT_MEMBERS, KEY_OF_THE_JKT, readKeySet } from '../clients/client-record.js'
import { importPublicJwk, type JwkSet, thumbprint } from '../jose/jwk.js'
import type { Client, ClientMetadata } from '../ports/client.js'
import { type ClientAuthenticationMethod, SECRET_METHODS } from '../ports/methods.js'
import type { PolicyOptions } from '../ports/policy-options.js'
import type { Confirmation } from '../ports/store.js'
import { readPolicy } from './policy.js'

/**
 * A client of the option `clients`.
 *
 * @example
 * const { RUNNER_SECRET = '' } = process.env
 * const runner: ClientOptions = {
 *   clientId: 'ci-runner',
 *   clientSecret: RUNNER_SECRET,
 *   policy: { scopes: ['devices:create'] },
 * }
 */
export interface ClientOptions {
  /**
   * 1 to 255 printable ASCII characters.
   * @example 'ci-runner'
   */
  readonly clientId: string
  /**
   * The secret of the client, at least 24 characters. Generate it: `openssl rand -hex 32`. The plain secret is hashed
   * at start (or at each look-up, if you look clients up), and only its hash is kept. To configure no plain secret,
   * give `secretHash` instead. Default: none.
   * @example process.env.RUNNER_SECRET ?? ''
   */
  readonly clientSecret?: string
  /**
   * The hashed form of the secret, instead of `clientSecret`: the text `hmac-sha256:<salt>:<hash>` that
   * `hashSecret(secret)` returns. In a shell, with the secret in `SECRET`:
   * `node -p "require('express-provisioning-keys').hashSecret(process.env.SECRET)"`. Default: none.
   * @example process.env.RUNNER_SECRET_HASH ?? ''
   */
  readonly secretHash?: string
  /**
   * When the secret expires, in seconds since the epoch. It is refused from then on. Default: never.
   * @example Date.parse('2030-01-01') / 1000
   */
  readonly secretExpiresAt?: number
  /**
   * How the client may authenticate. Default: the methods that its credentials allow.
   * @example ['private_key_jwt']
   */
  readonly authenticationMethods?: readonly ClientAuthenticationMethod[]
  /**
   * The public keys for `private_key_jwt` (RFC 7523), 1 to 8. This is a short form of `metadata.jwks`; give only one of
   * them. Default: none.
   * @example { keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] }
   */
  readonly jwks?: JwkSet
  /**
   * The permissions of the client, within those of the deployment. Default: those of the deployment.
   * @example { scopes: ['devices:create'], subjects: ['device:*'] }
   */
  readonly policy?: PolicyOptions
  /**
   * Registered metadata (RFC 7591 2), such as the name in its certificate. Default: none.
   * @example { tls_client_auth_san_dns: 'runner.example.com' }
   */
  readonly metadata?: ClientMetadata
}

/** A registry or a lookup function may return a client with members of both types. */
type AnyClient = ClientOptions & Omit<Partial<Client>, keyof ClientOptions>

const { clientId, ...MEMBERS } = CLIENT_MEMBERS

const readMembers = object<AnyClient>(
  {
    clientId,
    clientSecret: rule(SECRET_FORM, isLongEnough, describeSecret),
    jwks: readKeySet,
    policy: readPolicy,
    ...MEMBERS,
  },
  'an object with a clientId',
  describeSecret,
)

/** Reads a client of the options. Its keys are imported, so that a faulty key is noted. */
export function readClient(value: unknown, path: string, faults: Faults): Client | undefined {
  const client = readFoundClient(value, path, faults)
  const { metadata, bindings = [], authenticationMethods = [] }: Partial<Client> = client ?? {}
  const keySet = metadata?.jwks
  const isToSign = authenticationMethods.includes('private_key_jwt') && !bindsBy(bindings, 'jkt')
  const expected = keySetFormFault(keySet) === undefined ? keySetFaultFor(keySet, isToSign) : undefined
  const name = isObject(value) && value.jwks !== undefined ? 'jwks' : 'metadata.jwks'
  if (expected !== undefined) faults.reject(join(path, name), expected, keySet)
  for (const [index, { confirmation, jwk }] of bindings.entries()) {
    if (confirmation?.jkt === undefined || jwk === undefined) continue
    const key = importPublicJwk(jwk)
    if (typeof key === 'string' || thumbprint(key) !== confirmation.jkt)
      faults.reject(`${path}.bindings[${index}].jwk`, KEY_OF_THE_JKT, jwk)
  }
  return client
}

function keySetFaultFor(keySet: JwkSet | undefined, isToSign: boolean): string | undefined {
  const fault = keySetFault(keySet)
  const lacksKey = isToSign && keySet !== undefined && !hasSigningKey(keySet)
  return fault ?? (lacksKey ? SIGNING_KEY : undefined)
}

/**
 * Reads a client that a lookup function or a registry found. The result is a complete copy, with a hash in place of the
 * secret.
 *
 * Keys are not imported here, and only their form is checked: an existing client must not take more time than a missing
 * one. Authentication imports the keys that it tries, and refuses faulty keys.
 */
export function readFoundClient(value: unknown, path: string, faults: Faults): Client | undefined {
  const { clientSecret, jwks, policy = Object.freeze({}), ...members } = readMembers(value, path, faults)
  if (!isObject(value)) return undefined
  const methods = Object.freeze([...(members.authenticationMethods ?? methodsFor(value))])
  noteCredentials(path, value, methods, faults)
  const metadata = jwks === undefined ? members.metadata : { ...members.metadata, jwks }
  return Object.freeze({
    revision: 1,
    ...clonePlain(path, { ...members, ...(metadata && { metadata }) }, faults),
    authenticationMethods: methods,
    policy,
    ...(clientSecret !== undefined && { secretHash: hashSecret(clientSecret) }),
  }) as Client
}

/** The authentication methods of a client that names none: those that its credentials allow. */
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
  methods: readonly unknown[],
  faults: Faults,
): void {
  const { clientSecret, secretHash } = client
  if (clientSecret !== undefined && secretHash !== undefined) {
    faults.add(join(path, 'clientSecret'), 'either a clientSecret or a secretHash', 'both')
  }
  if (typeof clientSecret === 'string' && isSecretHash(clientSecret))
    faults.add(join(path, 'clientSecret'), 'the secret; its hash is a secretHash', 'a result of hashSecret()')
  if (client.jwks !== undefined && isObject(client.metadata) && client.metadata.jwks !== undefined)
    faults.add(join(path, 'jwks'), 'either jwks or metadata.jwks', 'both')
  const wants = (names: readonly string[]) => names.some((one) => methods.includes(one))
  if (wants(SECRET_METHODS) && !hasSecret(client))
    faults.add(join(path, 'clientSecret'), 'a clientSecret or a secretHash to authenticate with', 'neither')
  if (wants(['private_key_jwt']) && !hasKeys(client))
    faults.add(join(path, 'jwks'), 'the public keys it authenticates with', 'undefined')
  noteCertificates(path, client, methods, faults)
}

/** Notes faults in the metadata for client certificates (RFC 8705 2). */
function noteCertificates(
  path: string,
  { jwks, metadata, bindings }: Record<string, unknown>,
  methods: readonly unknown[],
  faults: Faults,
): void {
  const given: Record<string, unknown> = {
    ...(isObject(metadata) && metadata),
    ...(isObject(jwks) && { jwks }),
  }
  // Check absent members too, so that the time does not reveal which members a client has.
  for (const name of CERTIFICATE_NAME_MEMBERS) {
    const expected = certificateNameFault(name, given[name])
    if (expected !== undefined) faults.reject(join(path, `metadata.${name}`), expected, given[name])
  }
  // A client that has bound a certificate needs none in its metadata.
  const isBound = bindsBy(bindings, 'x5t#S256')
  const wanted = isBound ? methods.filter((one) => one !== 'self_signed_tls_client_auth') : methods
  const fault = certificateMetadataFault(given, wanted)
  if (fault === undefined) return
  const [member, expected] = fault
  const name = member === 'token_endpoint_auth_method' ? 'metadata' : `metadata.${member}`
  faults.reject(join(path, name), expected, given[member])
}

/** Whether a key (`jkt`) or a certificate (`x5t#S256`) is bound. */
function bindsBy(bindings: unknown, member: keyof Confirmation): boolean {
  const isOfKind = (one: unknown) => isObject(one) && isObject(one.confirmation) && member in one.confirmation
  return Array.isArray(bindings) && bindings.some(isOfKind)
}

function clonePlain(path: string, members: object, faults: Faults): object {
  try {
    return structuredClone(members)
  } catch {
    faults.add(path, 'plain JSON', 'something that cannot be copied')
    return {}
  }
}
