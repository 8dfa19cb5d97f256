import { describeSecret, newFaults } from '../base/faults.js'
import { hasMethods, isObject } from '../base/object.js'
import {
  aFunction,
  noteExclusive,
  object,
  oneOf,
  type Reader,
  required,
  rule,
  seconds,
  text,
} from '../base/schema.js'
import type { OnProgress } from './progress.js'
import type { Signer } from './signer.js'
import { ACTIONS, type ProvisionAction, type StateStorage } from './state.js'

/**
 * A secret, or a function that reads it. The function is called only if the secret is needed.
 * `express-provisioning-keys/client/node` has functions for files, environment variables and the standard input.
 *
 * @example
 * const key: SecretSource = async () => (await fetch('http://169.254.169.254/provisioning-key')).text()
 */
export type SecretSource = string | (() => string | Promise<string>)

/**
 * A client that may ask for provisioning keys, and how it authenticates: with a secret, or with a private key
 * (`private_key_jwt`, RFC 7523).
 *
 * @example
 * const fleet: ClientCredentials = { id: 'fleet', secret: () => process.env.FLEET_SECRET ?? '' }
 */
export type ClientCredentials =
  | { readonly id: string; readonly secret: SecretSource }
  | { readonly id: string; readonly signer: Signer }

/**
 * Options of `provision()`.
 *
 * @example
 * const options: ProvisionOptions = {
 *   issuer: 'https://auth.example.com',
 *   action: 'bind',
 *   key: process.env.PROVISIONING_KEY ?? '',
 *   state: fileState('/var/lib/agent/identity.json'),
 * }
 */
export interface ProvisionOptions {
  /**
   * The issuer, as its metadata name it: an https URL, or `http://localhost` with any port.
   * @example 'https://auth.example.com'
   */
  readonly issuer: string
  /**
   * What the key is redeemed for: `bind` binds a key pair to an identity, `register` registers a client (RFC 7591), and
   * `token` gets an access token (RFC 8693).
   * @example 'bind'
   */
  readonly action: ProvisionAction
  /**
   * The provisioning key. It is read only if no state is saved. Pass either `key` or `client`.
   * @example async () => (await fetch('http://169.254.169.254/provisioning-key')).text()
   */
  readonly key?: SecretSource
  /**
   * A client that asks the issuer for a key. The key is bound to the key pair of the device with DPoP (RFC 9449).
   * @example { id: 'fleet', secret: () => process.env.FLEET_SECRET ?? '' }
   */
  readonly client?: ClientCredentials
  /**
   * The identity that `client` asks a key for. Default: the client itself.
   * @example 'device:7'
   */
  readonly subject?: string
  /**
   * The scopes of the access tokens, separated by spaces. The client adds the scopes `provision:*` that it needs. Default:
   * none, so that `fetch()` of a bound or registered device rejects.
   * @example 'telemetry:write'
   */
  readonly scope?: string
  /**
   * The API for which keys and access tokens are (RFC 8707). Default: the default of the issuer.
   * @example 'https://api.example.com'
   */
  readonly resource?: string
  /**
   * The metadata of the client that is registered (RFC 7591 2). Default: it authenticates with its key pair
   * (`private_key_jwt`).
   * @example { client_name: 'Sensor 7' }
   */
  readonly metadata?: Readonly<Record<string, unknown>>
  /**
   * Keeps the state of the device. `bind` and `register` need it. Default for `token`: nothing is kept.
   * @example fileState('/var/lib/agent/identity.json')
   */
  readonly state?: StateStorage
  /**
   * The private key of the device, if it is in a TPM, an HSM or WebCrypto. Default: a new key for ES256, which is kept in
   * the state.
   * @example await signWith(await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']))
   */
  readonly signer?: Signer
  /**
   * The age of a binding from which `provision()` binds a new key pair in place of the old one. The policy of the device
   * needs `rebinding: 'replace'` and the scope `provision:bind`. Default: never.
   * @example 30 * 24 * 3600
   */
  readonly renewAfterSeconds?: number
  /**
   * The longest time that `provision()` tries to get an answer, from 1 to 86,400. Default: 120.
   * @example 300
   */
  readonly deadlineSeconds?: number
  /**
   * Ends `provision()`, which then rejects with the reason of the signal. It also ends the later requests for access tokens.
   * @example AbortSignal.timeout(60_000)
   */
  readonly signal?: AbortSignal
  /**
   * Receives each step. No step contains a key or a secret.
   * @example (progress) => console.error(progress.type)
   */
  readonly onProgress?: OnProgress
  /**
   * The function that sends all requests, for example `pinnedFetch()`. Default: the global `fetch`.
   * @example pinnedFetch({ sha256: '5F:A6:6F:1B:9C:F4:EC:7A:0E:58:CE:3D:71:A5:B9:0C:53:02:88:4E:6F:D4:1E:27:B5:AA:19:60:3C:8D:F7:42' })
   */
  readonly fetch?: typeof fetch
}

/** The options, checked. */
export type Settings = ProvisionOptions & { readonly deadlineSeconds: number }

const DEFAULT_DEADLINE_SECONDS = 120

const aSecret: Reader<SecretSource> = rule(
  'a text, or a function that returns one',
  (value) => typeof value === 'string' || typeof value === 'function',
  describeSecret,
)

const aSigner: Reader<Signer> = rule(
  'a signer: { algorithm, publicJwk, sign }',
  (value) =>
    hasMethods(value, ['sign']) && typeof value['algorithm'] === 'string' && isPublic(value['publicJwk']),
  describeSecret,
)

function isPublic(jwk: unknown): boolean {
  return isObject(jwk) && typeof jwk['kty'] === 'string' && jwk['d'] === undefined
}

const aScope = text('scopes, separated by single spaces', /^[!#-[\]-~]+( [!#-[\]-~]+)*$/)
const aName = text('a text that is not empty', /./)

const readCredentials: Reader<ClientCredentials> = (value, path, faults) => {
  noteExclusive(value, ['secret', 'signer'], { path, faults })
  const read = object<{ id: string; secret?: SecretSource; signer?: Signer }>(
    { id: required(aName), secret: aSecret, signer: aSigner },
    'an object with id, and secret or signer',
    describeSecret,
  )
  return read(value, path, faults) as ClientCredentials
}

const readOptions = object<ProvisionOptions>({
  issuer: required(text('an https URL without query and fragment, or http://localhost', isIssuer)),
  action: required(oneOf(ACTIONS)),
  key: aSecret,
  client: readCredentials,
  subject: aName,
  scope: aScope,
  resource: text('an absolute URL', (value) => URL.canParse(value)),
  metadata: rule('an object', isObject),
  state: rule("an object with load(), save() and clear(), such as fileState('device.json')", (value) =>
    hasMethods(value, ['load', 'save', 'clear']),
  ),
  signer: aSigner,
  renewAfterSeconds: seconds(1, Number.MAX_SAFE_INTEGER),
  deadlineSeconds: seconds(1, 86_400),
  signal: rule('an AbortSignal', (value) => value instanceof AbortSignal),
  onProgress: aFunction(),
  fetch: aFunction(),
})

/** @throws ConfigurationError with all faults of the options */
export function parseOptions(options: ProvisionOptions): Settings {
  const faults = newFaults()
  const given = readOptions(options, '', faults)
  noteExclusive(options, ['key', 'client'], { path: 'key', faults })
  const { action, subject, client, metadata, renewAfterSeconds, signer } = given
  const needsState = action === 'bind' || action === 'register'
  if (needsState && isObject(options) && options.state === undefined)
    faults.add(
      'state',
      `a place for the private key and the result of ${action}, such as fileState('device.json')`,
      'undefined',
    )
  if (subject !== undefined && client === undefined) faults.add('subject', 'client with it', 'no client')
  if (metadata !== undefined && action !== 'register')
    faults.add('metadata', 'the action register', `${action}`)
  if (renewAfterSeconds !== undefined && action !== 'bind')
    faults.add('renewAfterSeconds', 'the action bind', `${action}`)
  if (renewAfterSeconds !== undefined && signer !== undefined)
    faults.add('renewAfterSeconds', 'no signer with it, because a signer has only one key', 'both')
  faults.throwIfAny()
  return { ...given, deadlineSeconds: given.deadlineSeconds ?? DEFAULT_DEADLINE_SECONDS }
}

function isIssuer(value: string): boolean {
  if (!URL.canParse(value) || /[?#]/.test(value)) return false
  const { username, password } = new URL(value)
  return isProtected(value) && username === '' && password === ''
}

/**
 * Whether nobody on a network can read a request to this URL: it has https, or it cannot leave the machine (W3C Secure
 * Contexts 3.1).
 */
export function isProtected(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return (
    protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
  )
}

/** @throws what the source throws */
export async function readSecret(source: SecretSource): Promise<string> {
  return typeof source === 'string' ? source : source()
}
