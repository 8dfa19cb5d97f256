import { describeSecret, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { noteExclusive, object, type Read, type Reader, required, rule, text, whole } from '../base/schema.js'
import { Secret } from '../base/secret.js'
import type { JwkSet } from '../jose/jwk.js'
import { readJwkSet } from '../jose/jwk-set.js'
import type { ActiveKey, VerificationKeys } from '../jose/key-ring.js'
import { CLIENT_ID } from '../ports/client.js'
import type { Emit } from '../ports/events.js'
import type { AskIssuer } from '../ports/issuer-state.js'
import { type Fetching, fetchJson } from '../remote/fetch-json.js'
import {
  authenticateByAssertion,
  authenticateBySecret,
  introspectionClient,
} from '../remote/issuer-introspection.js'
import { RemoteKeys } from '../remote/remote-keys.js'
import { httpsUrl, localUrl } from './https-url.js'
import { readSigningKey, type SigningKeyInput } from './signing-keys.js'

/**
 * How long the fetched signing keys of an issuer are used.
 *
 * @example
 * const jwksCache: JwksCacheOptions = { freshSeconds: 300, usableSeconds: 1800 }
 */
export interface JwksCacheOptions {
  /**
   * How long keys are fresh, in seconds. A shorter `max-age` of the answer is respected. Stale keys stay in use while new
   * ones are fetched. Default 600, at most 86,400.
   * @example 300
   */
  readonly freshSeconds?: number
  /**
   * How long keys are used if the issuer does not answer, in seconds. After that, every request gets 503. Default 3600, at
   * most 86,400.
   * @example 7200
   */
  readonly usableSeconds?: number
  /**
   * The shortest time between two fetches for an unknown `kid`, in seconds. Default 30, at most 600.
   * @example 60
   */
  readonly cooldownSeconds?: number
}

/**
 * How an API asks the issuer for the state of a key (RFC 7662). Give either `clientSecret` or `clientKey`.
 *
 * @example
 * const { INVENTORY_SECRET = '' } = process.env
 * const introspection: IntrospectionOptions = { clientId: 'inventory-api', clientSecret: INVENTORY_SECRET }
 */
export interface IntrospectionOptions {
  /**
   * The https URL of the introspection endpoint. Default: `/oauth/introspect` at the origin of the issuer.
   * @example 'https://auth.example.com/oauth/introspect'
   */
  readonly endpoint?: string | URL
  /**
   * The client at the issuer for this API. Its `policy.introspectAudiences` there must name the audiences of this API.
   * @example 'inventory-api'
   */
  readonly clientId: string
  /**
   * The secret of this client, for `client_secret_basic`. Default: none.
   * @example process.env.INVENTORY_SECRET ?? ''
   */
  readonly clientSecret?: string
  /**
   * The private key of this client, for `private_key_jwt` (RFC 7523). Default: none.
   * @example process.env.INVENTORY_KEY ?? ''
   */
  readonly clientKey?: SigningKeyInput
}

/** The parts of a verifier that requests to the issuer need. They exist only after all options are read. */
export interface RemoteParts {
  readonly issuer: string
  readonly fetching: Fetching
  readonly jwksCache: JwksCacheOptions
  readonly now: () => number
  readonly emit: Emit
}

type VerifierKeys = (parts: RemoteParts) => VerificationKeys

/** Reads `jwks`: the URL of the JWK Set, or the set itself. */
export function jwksReader(isLocal: boolean): Reader<VerifierKeys> {
  const readUrl = urlReader(isLocal, ', or a JWK Set')
  return (value, path, faults) => {
    if (isObject(value) && !(value instanceof URL)) return readSet(value as unknown as JwkSet, path, faults)
    const url = readUrl(value, path, faults)
    return ({ fetching, now, emit, jwksCache }) =>
      new RemoteKeys(() => fetchJson(fetching, url), { ...CACHE, ...jwksCache, now, emit })
  }
}

function readSet(value: JwkSet, path: string, faults: Faults): VerifierKeys {
  const keys = readJwkSet(plainCopy(value))
  const isUsable = typeof keys !== 'string' && keys.size > 0
  if (!isUsable) {
    const fault = typeof keys === 'string' ? keys : 'no key in it has a kid and can verify'
    faults.add(path, 'a JWK Set with the public keys of the issuer', `one that is refused: ${fault}`)
    return undefined as never
  }
  const ring: VerificationKeys = Object.freeze({
    all: () => [...keys.values()],
    find: (kid: string | undefined) => (kid === undefined ? undefined : keys.get(kid)),
  })
  return () => ring
}

/** A copy without getters. `undefined`: it has members that are not plain data, such as functions. */
function plainCopy(value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch {
    return undefined
  }
}

const CACHE = { freshSeconds: 600, usableSeconds: 3600, cooldownSeconds: 30 } as const

const readCacheMembers = object<JwksCacheOptions>({
  freshSeconds: whole(1, 86_400, ' seconds'),
  usableSeconds: whole(1, 86_400, ' seconds'),
  cooldownSeconds: whole(1, 600, ' seconds'),
})

export const readCache: Reader<JwksCacheOptions> = (value, path, faults) => {
  const rules = { ...CACHE, ...readCacheMembers(value, path, faults) }
  const { freshSeconds, usableSeconds, cooldownSeconds } = rules
  if (!(cooldownSeconds <= freshSeconds && freshSeconds <= usableSeconds)) {
    const got = `${cooldownSeconds}, ${freshSeconds}, ${usableSeconds}`
    faults.add(path, 'cooldownSeconds <= freshSeconds <= usableSeconds', got)
  }
  return rules
}

const readPrivateKey: Reader<ActiveKey> = (value, path, faults) => {
  const key = readSigningKey(value, path, faults)
  const isPrivate = key?.privateKey?.type === 'private'
  if (key !== undefined && !isPrivate)
    faults.add(path, 'a private key', key.privateKey ? 'a secret' : 'a public key')
  return key as ActiveKey
}

type ReadIntrospection = Read<IntrospectionOptions, { endpoint: URL; clientKey: ActiveKey }>

export function introspectionReader(isLocal: boolean): Reader<(parts: RemoteParts) => AskIssuer> {
  const isSecret = (secret: unknown) => typeof secret === 'string' && secret !== ''
  const members = {
    endpoint: urlReader(isLocal),
    clientId: required(text<string>('1 to 255 printable ASCII characters', CLIENT_ID)),
    clientSecret: rule<string>('the secret of the client', isSecret, describeSecret),
    clientKey: readPrivateKey,
  }
  const readMembers = object<ReadIntrospection>(
    members,
    'an object with clientId and clientSecret',
    describeSecret,
  )
  return (value, path, faults) => {
    const { endpoint, clientId, ...read } = readMembers(value, path, faults)
    noteExclusive(value, ['clientSecret', 'clientKey'], { path: join(path, 'clientSecret'), faults })
    const secret = new Secret(String(read.clientSecret))
    return ({ issuer, now, fetching }) => {
      const authenticate =
        read.clientKey === undefined
          ? authenticateBySecret(clientId, secret)
          : authenticateByAssertion(clientId, read.clientKey, issuer, now)
      return introspectionClient(endpoint ?? new URL('/oauth/introspect', issuer), authenticate, fetching)
    }
  }
}

/**
 * Reads a URL of the issuer. Over cleartext, an attacker could change its answers, and so choose the accepted keys. A
 * local issuer is on this machine, where that is not possible.
 */
function urlReader(isLocal: boolean, or = ''): Reader<URL> {
  return (value, path, faults) => {
    const url = isLocal ? localUrl(value) : httpsUrl(value)
    const text = value instanceof URL ? value.href : value
    if (url === undefined) faults.reject(path, `an https URL without credentials or fragment${or}`, text)
    return url as URL
  }
}
