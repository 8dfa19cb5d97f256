import { describeSecret, type Faults, join, newFaults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import {
  flag,
  list,
  type Members,
  noteRepeated,
  object,
  oneOf,
  type Reader,
  required,
  rule,
  text,
  whole,
} from '../base/schema.js'
import { isSecretHash } from '../base/secret.js'
import { publicJwkFault } from '../jose/jwk.js'
import {
  type Binding,
  CLIENT_ID,
  type Client,
  type ClientMetadata,
  type Registration,
  type RegistrationToken,
} from '../ports/client.js'
import { CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'
import {
  MOST_BINDINGS,
  type PolicyOptions,
  REBINDINGS,
  REPLAY_CONTAINMENTS,
  SENDER_CONSTRAINTS,
} from '../ports/policy-options.js'
import type { Confirmation, KeyRef } from '../ports/store.js'
import { keySetFormFault } from './client-keys.js'
import { GRANT_TYPES } from './client-metadata.js'

const clientId = text('1 to 255 printable ASCII characters', CLIENT_ID)

/** Refuses milliseconds: read as seconds, they would be a time in the far future. */
const numericDate = rule<number>(
  'a NumericDate: whole seconds since 1970, not milliseconds',
  (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < 1e11,
)

const hash = rule<string>(
  'the result of hashSecret()',
  (value) => typeof value === 'string' && isSecretHash(value),
  describeSecret,
)

const methods = list(
  `a list of ${CLIENT_AUTHENTICATION_METHODS.join(', ')}`,
  oneOf(CLIENT_AUTHENTICATION_METHODS),
)

const ID = /^[\x21-\x7e]{1,255}$/
const keyId = text('the jti of a provisioning key', ID)

/** Here only the form of the key is checked. Its thumbprint is compared with the `jkt` when the key is imported. */
export const KEY_OF_THE_JKT = 'the public key of which the jkt is the thumbprint'

const readBindingMembers = object<Binding>({
  bindingId: required(text('an id', ID)),
  confirmation: required(rule('either a jkt or an x5t#S256, 43 characters of base64url', isConfirmation)),
  jwk: rule(KEY_OF_THE_JKT, (jwk) => publicJwkFault(jwk) === undefined),
  boundAt: required(numericDate),
  keyId: required(keyId),
  askedBy: clientId,
  lineage: list(
    'a list of objects with clientId and jti',
    object<KeyRef>({ clientId: required(clientId), jti: required(keyId) }),
  ),
  flaggedAt: numericDate,
  confirmBy: numericDate,
  replaces: flag,
})

const readBinding: Reader<Binding> = (value, path, faults) => {
  const binding = readBindingMembers(value, path, faults)
  const jwk = isObject(value) ? value.jwk : undefined
  const { confirmation }: Partial<Binding> = binding
  if (confirmation?.jkt !== undefined && jwk === undefined)
    faults.reject(join(path, 'jwk'), KEY_OF_THE_JKT, jwk)
  if (confirmation?.['x5t#S256'] !== undefined && jwk !== undefined)
    faults.reject(join(path, 'jwk'), 'none beside the x5t#S256 of a certificate', jwk)
  return binding
}

function isConfirmation(value: unknown): value is Confirmation {
  if (!isObject(value)) return false
  const [[name, thumbprint] = [], ...others] = Object.entries(value)
  const isKnown = name === 'jkt' || name === 'x5t#S256'
  return isKnown && typeof thumbprint === 'string' && /^[\w-]{43}$/.test(thumbprint) && others.length === 0
}

const readBindingList = list(`a list of at most ${MOST_BINDINGS} bindings`, readBinding, {
  most: MOST_BINDINGS,
})

const readBindings: Reader<readonly Binding[]> = (value, path, faults) => {
  const bindings: readonly Partial<Binding>[] = readBindingList(value, path, faults) ?? []
  const ids = bindings.map(({ bindingId }) => bindingId)
  noteRepeated(ids, (index) => `${path}[${index}].bindingId`, 'an id that no other has', faults)
  return bindings as readonly Binding[]
}

/** Reads a JWK Set. It checks the form of the keys, and imports none of them. */
export const readKeySet: Reader<NonNullable<ClientMetadata['jwks']>> = (value, path, faults) => {
  const expected = keySetFormFault(value)
  if (expected !== undefined) faults.reject(path, expected, value)
  return value as NonNullable<ClientMetadata['jwks']>
}

const METADATA = {
  grant_types: list(`a list of ${GRANT_TYPES.join(', ')}`, oneOf(GRANT_TYPES)),
  jwks: readKeySet,
  dpop_bound_access_tokens: flag,
  tls_client_certificate_bound_access_tokens: flag,
} satisfies { readonly [K in keyof ClientMetadata]?: Reader<unknown> }

/** Reads metadata (RFC 7591 2). It checks only the members in `METADATA`, and returns all of them. */
const readMetadata: Reader<ClientMetadata> = (value, path, faults) => {
  if (!isObject(value)) {
    faults.reject(path, 'client metadata (RFC 7591 2)', value)
    return undefined as never
  }
  for (const [name, read] of Object.entries(METADATA))
    if (value[name] !== undefined) read(value[name], join(path, name), faults)
  return value
}

const readRegisteredBy = object<NonNullable<Client['registeredBy']>>(
  { clientId: required(clientId), keyId: required(keyId) },
  'an object with clientId and keyId',
)

const readRegistration = object<Registration>({
  issuedAt: required(numericDate),
  scopes: required(list('a list of scopes', text('a scope'))),
  tokens: required(
    list(
      'a list of registration access tokens',
      object<RegistrationToken>({ hash: required(hash), expiresAt: required(numericDate) }),
    ),
  ),
  secretRenewedAt: numericDate,
  confirmBy: numericDate,
})

/** The readers of all members of a client except its policy, for stored clients and for those in the options. */
export const CLIENT_MEMBERS = {
  clientId: required(clientId),
  revision: whole(1),
  secretHash: hash,
  secretExpiresAt: numericDate,
  authenticationMethods: methods,
  bindings: readBindings,
  boundMethods: methods,
  metadata: readMetadata,
  registeredBy: readRegisteredBy,
  registration: readRegistration,
  flaggedAt: numericDate,
  deletedAt: numericDate,
  undoneAt: numericDate,
} satisfies Members<Omit<Partial<Client>, 'clientId' | 'policy'> & Pick<Client, 'clientId'>>

const texts = list('a list of texts', text('a text'))
const count = whole(0)

/** Reads a stored policy. Unlike one in the options, it may have empty lists, and limits that are no longer allowed. */
const readStoredPolicy = object<PolicyOptions>({
  scopes: texts,
  defaultScopes: texts,
  audiences: texts,
  lifetimeSeconds: count,
  maxLifetimeSeconds: count,
  networks: texts,
  subjects: texts,
  introspectAudiences: texts,
  senderConstraint: oneOf(SENDER_CONSTRAINTS),
  rebinding: oneOf(REBINDINGS),
  maxBindings: count,
  confirmWithinSeconds: count,
  onReplay: oneOf(REPLAY_CONTAINMENTS),
  registrationPolicies: texts,
  requireSoftwareStatement: flag,
  outstandingKeys: count,
  accessTokenScopes: texts,
  clientScopes: texts,
  accessTokenLifetimeSeconds: count,
})

const readStoredClient = object<Client>({
  ...CLIENT_MEMBERS,
  revision: required(CLIENT_MEMBERS.revision),
  authenticationMethods: required(methods),
  policy: readStoredPolicy,
})

/** Checks a client before it is stored, or when it is read from storage. The text shows no values: they may be secrets. */
export function clientFault(value: unknown): string | undefined {
  const faults = newFaults(describeSecret)
  noteJson(value, 'client', faults)
  if (faults.list.length === 0) readStoredClient(value, 'client', faults)
  return faults.list.length === 0 ? undefined : faults.list.join('; ')
}

/** Notes values that would change in JSON, such as dates, maps and instances of classes. */
function noteJson(value: unknown, path: string, faults: Faults): void {
  const isScalar = value === null || typeof value === 'string' || typeof value === 'boolean'
  if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) noteJson(entry, `${path}[${index}]`, faults)
  } else if (isPlain(value)) {
    const present = Object.entries(value).filter(([, member]) => member !== undefined)
    for (const [name, member] of present) noteJson(member, join(path, name), faults)
  } else if (!isScalar && !Number.isFinite(value)) faults.reject(path, 'plain JSON', value)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false
  const prototype = Object.getPrototypeOf(value)
  // The object may come from another realm, so its prototype may not be our Object.prototype.
  const isOfNoClass = prototype === null || Object.getPrototypeOf(prototype) === null
  return isOfNoClass && typeof value.toJSON !== 'function'
}
