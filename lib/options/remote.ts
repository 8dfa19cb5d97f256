import { describe, describeSecret, type Faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { Secret } from '../base/secret.js'
import { CLIENT_ID } from '../clients/policy.js'
import { readJwkSet } from '../jose/jwk-set.js'
import type { JwkSet, VerificationKeys } from '../jose/key-ring.js'
import type { Emit } from '../ports/events.js'
import type { AskIssuer } from '../ports/issuer-state.js'
import { assertedClient, secretClient } from '../remote/client-credentials.js'
import { type Fetching, fetchJson } from '../remote/fetch-json.js'
import { type AuthenticateRequest, introspectionClient } from '../remote/issuer-introspection.js'
import { remoteKeys } from '../remote/remote-keys.js'
import { readCount } from './policy.js'
import { readSigningKey, type SigningKeyInput } from './signing-keys.js'

/** For how long the fetched keys of an issuer are used. */
export interface JwksCacheOptions {
  /**
   * For how long they count as fresh, in seconds; a shorter `max-age` of the answer is honoured. Stale keys are used
   * while they are fetched anew. Default 600, at most 86,400.
   */
  readonly freshSeconds?: number
  /** For how long they are used without a good answer, in seconds, before everything is refused. Default 3600, at most 86,400. */
  readonly usableSeconds?: number
  /** How long an unknown `kid` has to wait until it has them fetched anew, in seconds. Default 30, at most 600. */
  readonly cooldownSeconds?: number
}

/** Where and as whom the issuer is asked how a key stands (RFC 7662). */
export interface IntrospectionOptions {
  /** The https URL of the introspection endpoint. Default: `/oauth/introspect` at the issuer's origin. */
  readonly endpoint?: string | URL
  /** The client of the issuer's whose `policy.introspectAudiences` names our audiences. */
  readonly clientId: string
  /** Its secret, for `client_secret_basic`. */
  readonly clientSecret?: string
  /** Its private key, for `private_key_jwt` (RFC 7523), in place of a secret. */
  readonly clientKey?: SigningKeyInput
}

/** What the issuer is reached with. */
export interface RemoteParts {
  readonly issuer: string
  readonly fetching: Fetching
  readonly now: () => number
  readonly emit: Emit
}

/** Reads how documents are fetched: `fetch` and `timeoutSeconds`. */
export function readFetching(given: Readonly<Record<string, unknown>>, faults: Faults): Fetching {
  const { fetch = globalThis.fetch } = given
  if (typeof fetch !== 'function') faults.add('fetch', 'a function like the global fetch', describe(fetch))
  const range = { most: 60, unit: ' seconds' }
  const timeoutSeconds = readCount('timeoutSeconds', given.timeoutSeconds, range, faults) ?? 5
  return Object.freeze({ fetch: fetch as Fetching['fetch'], timeoutMilliseconds: timeoutSeconds * 1000 })
}

/** Reads `jwks`: the URL the issuer's keys are fetched from, or the keys themselves. */
export function readJwks(
  value: unknown,
  cache: unknown,
  faults: Faults,
): ((parts: RemoteParts) => VerificationKeys) | undefined {
  const rules = readCache(cache, faults)
  if (isObject(value) && !(value instanceof URL)) return readSet(value as unknown as JwkSet, faults)
  const url = readUrl('jwks', value, faults, ', or a JWK Set')
  if (url === undefined) return undefined
  return ({ fetching, now, emit }) => remoteKeys(() => fetchJson(fetching, url), { ...rules, now, emit })
}

function readSet(value: JwkSet, faults: Faults): (() => VerificationKeys) | undefined {
  const keys = readJwkSet(structuredClonable(value))
  const isUsable = typeof keys !== 'string' && keys.size > 0
  if (!isUsable) {
    const fault = typeof keys === 'string' ? keys : 'none of its keys can verify and has a kid'
    faults.add('jwks', 'a JWK Set with the public keys of the issuer', `one that is refused: ${fault}`)
    return undefined
  }
  const ring = Object.freeze({
    find: (kid: string | undefined) => (kid === undefined ? undefined : keys.get(kid)),
  })
  return () => ring
}

/** Keys in the configuration are plain JSON; what is not is no JWK Set. */
function structuredClonable(value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch {
    return undefined
  }
}

const CACHE = {
  freshSeconds: { most: 86_400, or: 600 },
  usableSeconds: { most: 86_400, or: 3600 },
  cooldownSeconds: { most: 600, or: 30 },
} as const satisfies Record<keyof JwksCacheOptions, { most: number; or: number }>

function readCache(value: unknown, faults: Faults) {
  if (value !== undefined && !isObject(value)) faults.add('jwksCache', 'an object', describe(value))
  const given: Record<string, unknown> = isObject(value) ? value : {}
  faults.addUnknownNames('jwksCache', given, Object.keys(CACHE))
  const read = (name: keyof typeof CACHE) => {
    const { most, or } = CACHE[name]
    return readCount(`jwksCache.${name}`, given[name], { most, unit: ' seconds' }, faults) ?? or
  }
  const rules = {
    freshSeconds: read('freshSeconds'),
    usableSeconds: read('usableSeconds'),
    cooldownSeconds: read('cooldownSeconds'),
  }
  const { freshSeconds, usableSeconds, cooldownSeconds } = rules
  if (!(cooldownSeconds <= freshSeconds && freshSeconds <= usableSeconds)) {
    const got = `${cooldownSeconds}, ${freshSeconds}, ${usableSeconds}`
    faults.add('jwksCache', 'cooldownSeconds up to freshSeconds up to usableSeconds', got)
  }
  return rules
}

/** Reads `introspection`. */
export function readIntrospection(
  value: unknown,
  faults: Faults,
): ((parts: RemoteParts) => AskIssuer) | undefined {
  if (value === undefined) return undefined
  if (!isObject(value)) {
    faults.add('introspection', 'an object with clientId and clientSecret', describeSecret(value))
    return undefined
  }
  faults.addUnknownNames('introspection', value, ['endpoint', 'clientId', 'clientSecret', 'clientKey'])
  const url =
    value.endpoint === undefined ? undefined : readUrl('introspection.endpoint', value.endpoint, faults)
  const credentials = readCredentials(value, faults)
  return (parts) => {
    const endpoint = url ?? new URL('/oauth/introspect', parts.issuer)
    return introspectionClient(endpoint, credentials(parts), parts.fetching)
  }
}

/** Reads the one way in which the resource server authenticates at the issuer. */
function readCredentials(
  value: Record<string, unknown>,
  faults: Faults,
): (parts: RemoteParts) => AuthenticateRequest {
  const { clientId, clientSecret, clientKey } = value
  if (typeof clientId !== 'string' || !CLIENT_ID.test(clientId))
    faults.add('introspection.clientId', '1 to 255 printable ASCII characters', describe(clientId))
  if ((clientSecret === undefined) === (clientKey === undefined)) {
    const got = clientSecret === undefined ? 'neither' : 'both'
    faults.add('introspection.clientSecret', 'either a clientSecret or a clientKey', got)
  }
  const id = String(clientId)
  if (clientKey === undefined) {
    if (clientSecret !== undefined && (typeof clientSecret !== 'string' || clientSecret === ''))
      faults.add('introspection.clientSecret', 'the secret of the client', describeSecret(clientSecret))
    const secret = new Secret(String(clientSecret))
    return () => secretClient(id, secret)
  }
  const key = readSigningKey('introspection.clientKey', clientKey, faults)
  const isPrivate = key?.privateKey?.type === 'private'
  if (key !== undefined && !isPrivate)
    faults.add('introspection.clientKey', 'a private key', key.privateKey ? 'a secret' : 'a public key')
  const { kid = '', alg = 'ES256', privateKey } = key ?? {}
  return ({ issuer, now }) => assertedClient(id, { kid, alg, privateKey: privateKey as never }, issuer, now)
}

/** Reads the URL of something at the issuer. */
function readUrl(path: string, value: unknown, faults: Faults, or = ''): URL | undefined {
  const text = value instanceof URL ? value.href : value
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  // Cleartext could be changed on its way, and with it whose keys are good.
  if (url?.protocol === 'https:' && url.username === '' && url.password === '' && !url.href.includes('#'))
    return url
  faults.add(path, `an https URL without credentials or fragment${or}`, describe(text))
  return undefined
}
