import { isSecretHash } from '../base/secret.js'
import { isPrivateJwk, type PublicJwk } from '../jose/jwk.js'
import type { Binding, Client, ClientMetadata, Registration, RegistrationToken } from '../ports/client.js'
import { CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'
import {
  type PolicyOptions,
  REBINDINGS,
  REPLAY_CONTAINMENTS,
  SENDER_CONSTRAINTS,
} from '../ports/policy-options.js'
import type { Confirmation, KeyRef } from '../ports/store.js'
import { CLIENT_ID } from './policy.js'

/** Says where a value is not what it must be; `undefined`: it is. Never says what it is, which may be a secret. */
type Judge = (value: unknown, path: string) => string | undefined

/**
 * How each member of a type is judged, and whether it may be absent. Total over the type: a member that is added to it
 * does not compile until it is added here, so that no database loses it in silence.
 */
type Members<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? { readonly optional: Judge } : Judge
}

const text: Judge = typed((value) => typeof value === 'string', 'text')
const flag: Judge = typed((value) => typeof value === 'boolean', 'true or false')
const count: Judge = typed((value) => Number.isSafeInteger(value) && Number(value) >= 0, 'a whole number')
const texts = listOf(text)
const methods = listOf(oneOf(CLIENT_AUTHENTICATION_METHODS))
const hash: Judge = typed((value) => typeof value === 'string' && isSecretHash(value), 'a hash of a secret')

/** Never a private one: a database is read by more people than it is for. */
const publicJwk: Judge = (value, path) => {
  if (!isObject(value)) return `${path} is no JWK`
  return isPrivateJwk(value) ? `${path} is not public` : json(value, path)
}

const metadata: Judge = (value, path) => {
  if (!isObject(value)) return `${path} is no object`
  const { jwks } = value as ClientMetadata
  const keys = jwks === undefined ? undefined : KEY_SET(jwks, `${path}.jwks`)
  return keys ?? json(value, path)
}

const KEY_SET = object<{ readonly keys: readonly PublicJwk[] }>({ keys: listOf(publicJwk) })

const POLICY = object<PolicyOptions>({
  scopes: { optional: texts },
  defaultScopes: { optional: texts },
  audiences: { optional: texts },
  lifetimeSeconds: { optional: count },
  maxLifetimeSeconds: { optional: count },
  networks: { optional: texts },
  subjects: { optional: texts },
  introspectAudiences: { optional: texts },
  senderConstraint: { optional: oneOf(SENDER_CONSTRAINTS) },
  rebinding: { optional: oneOf(REBINDINGS) },
  maxBindings: { optional: count },
  onReplay: { optional: oneOf(REPLAY_CONTAINMENTS) },
  registrationPolicies: { optional: texts },
  requireSoftwareStatement: { optional: flag },
  outstandingKeys: { optional: count },
  accessTokenScopes: { optional: texts },
  accessTokenLifetimeSeconds: { optional: count },
})

const BINDING = object<Binding>({
  bindingId: text,
  confirmation: object<Confirmation>({ jkt: { optional: text }, 'x5t#S256': { optional: text } }),
  jwk: { optional: publicJwk },
  boundAt: count,
  keyId: text,
  askedBy: { optional: text },
  lineage: { optional: listOf(object<KeyRef>({ clientId: text, jti: text })) },
  flaggedAt: { optional: count },
})

const REGISTRATION = object<Registration>({
  issuedAt: count,
  scopes: texts,
  tokens: listOf(object<RegistrationToken>({ hash, expiresAt: count })),
  secretRenewedAt: { optional: count },
})

const CLIENT = object<Client>({
  clientId: typed((value) => typeof value === 'string' && CLIENT_ID.test(value), 'a client id'),
  revision: typed((value) => Number.isSafeInteger(value) && Number(value) >= 1, 'a whole number from 1 on'),
  secretHash: { optional: hash },
  secretExpiresAt: { optional: count },
  authenticationMethods: methods,
  policy: { optional: POLICY },
  bindings: { optional: listOf(BINDING) },
  boundMethods: { optional: methods },
  metadata: { optional: metadata },
  registeredBy: { optional: object<NonNullable<Client['registeredBy']>>({ clientId: text, keyId: text }) },
  registration: { optional: REGISTRATION },
  flaggedAt: { optional: count },
  deletedAt: { optional: count },
})

/** What is wrong with a client that is to be kept, or that was kept: a member by its path, never a value. */
export function clientFault(value: unknown): string | undefined {
  return CLIENT(value, 'client')
}

function typed(holds: (value: unknown) => boolean, expected: string): Judge {
  return (value, path) => (holds(value) ? undefined : `${path} is not ${expected}`)
}

function oneOf(values: readonly string[]): Judge {
  return typed((value) => typeof value === 'string' && values.includes(value), `one of ${values.join(', ')}`)
}

function listOf(judge: Judge): Judge {
  return (value, path) => {
    if (!Array.isArray(value)) return `${path} is no list`
    // Not map and not every, which pass over holes.
    return firstFault(Array.from(value, (entry, index) => () => judge(entry, `${path}[${index}]`)))
  }
}

function object<T>(members: Members<T>): Judge {
  const known = new Map(Object.entries<Judge | { readonly optional: Judge }>(members))
  return (value, path) => {
    if (!isObject(value)) return `${path} is no object`
    const stranger = Object.keys(value).find((name) => !known.has(name))
    if (stranger !== undefined) return `${path} has a member that is not known: ${quoted(stranger)}`
    const judged = Array.from(known, ([name, member]) => () => {
      const own = Object.hasOwn(value, name) ? value[name] : undefined
      if (typeof member === 'function') return member(own, `${path}.${name}`)
      return own === undefined ? undefined : member.optional(own, `${path}.${name}`)
    })
    return firstFault(judged)
  }
}

/** Whatever is the same after it has been text: no dates, no maps, nothing that writes itself in another way. */
function json(value: unknown, path: string): string | undefined {
  if (value === null || ['string', 'boolean'].includes(typeof value)) return undefined
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : `${path} is a number that is none`
  if (Array.isArray(value)) return listOf(json)(value, path)
  if (!isObject(value)) return `${path} is not JSON`
  const present = Object.entries(value).filter(([, member]) => member !== undefined)
  return firstFault(
    present.map(
      ([name, member]) =>
        () =>
          json(member, `${path}.${quoted(name)}`),
    ),
  )
}

function firstFault(judged: readonly (() => string | undefined)[]): string | undefined {
  for (const judge of judged) {
    const fault = judge()
    if (fault !== undefined) return fault
  }
  return undefined
}

/** A plain one: whatever has a prototype of its own, or writes itself as it likes, is not what it will be as text. */
function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  // By what it lacks, since an object may come from another realm.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  return isPlain && typeof value['toJSON' as keyof typeof value] !== 'function'
}

/** A name that others have chosen, short. */
function quoted(name: string): string {
  return /^[\w.#-]{1,40}$/.test(name) ? name : 'one of an odd name'
}
