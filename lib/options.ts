import type { Client, ClientRegistry } from './core/client.js'
import type { Deployment } from './core/deployment.js'
import { ConfigurationError } from './core/errors.js'
import { type EventHub, eventHub, type Observer } from './core/events.js'
import type { PolicyOptions } from './core/policy.js'
import { scrub } from './core/secret.js'
import { type RateLimitOptions, type RateLimits, readRateLimits } from './http/rate-limit-options.js'
import type { ClientOptions } from './options/client.js'
import { type ClientLookup, readClients } from './options/clients.js'
import { type DpopOptions, readDpop } from './options/dpop.js'
import { describe, describeSecret, type Faults, faults, isObject } from './options/faults.js'
import { completePolicy, DEFAULTS, judgePolicy } from './options/narrowing.js'
import { AUDIENCE, readList, readPolicy } from './options/policy.js'
import { readSigningKeys, type SigningKeyInput } from './options/signing-keys.js'
import { memoryStore } from './stores/memory.js'
import type { ProvisioningStore } from './stores/store.js'

/** Everything that can be configured. All of it is judged at once, when the middlewares are made. */
export interface ProvisioningOptions {
  /** The issuer identifier: an https URL without query or fragment (RFC 8414 2). Verified exactly. */
  readonly issuer: string
  /** The audience, or audiences, keys may be for: absolute URIs (RFC 8707). The first is the default. */
  readonly audience: string | readonly string[]
  /** The first signs, all verify. */
  readonly signingKeys: SigningKeyInput | readonly SigningKeyInput[]
  /** The clients that may ask for keys: a list, a function that looks one up, or a registry. */
  readonly clients: readonly ClientOptions[] | ClientLookup | ClientRegistry
  /** What clients may have; a client's own policy can only narrow it. */
  readonly policy?: PolicyOptions
  /** Where the state of keys lives. Default `memoryStore()`: one process, forgotten with it. */
  readonly store?: ProvisioningStore
  /** The path under the issuer's origin at which the endpoints are reached. Default `/oauth`. */
  readonly mountPath?: string
  /** Limits per endpoint; `false` for none at all. Default: 300 a minute per address, and per client. */
  readonly rateLimit?: false | RateLimitOptions
  /** How DPoP proofs are judged. Default: they are accepted, and need no nonce. */
  readonly dpop?: DpopOptions
  /** The `realm` of challenges (RFC 9110 11.5). Default: the issuer's host. */
  readonly realm?: string
  /** The name of this deployment, such as `staging`; keys of another are refused. Default: none. */
  readonly environment?: string
  /** How far clocks may differ, in seconds, both ways. Default 5, at most 60. */
  readonly clockToleranceSeconds?: number
  /** Is told of every event; the same as `keys.on('*', observer)`. */
  readonly observer?: Observer
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/** The options, parsed: what the HTTP side needs besides the deployment. */
export interface Config {
  readonly deployment: Deployment
  readonly events: EventHub
  readonly mountPath: string
  readonly rateLimits: RateLimits
  readonly realm: string
  /** The scopes that any client could be granted, as far as they are known before one asks. */
  readonly knownScopes: readonly string[]
}

const NAMES: readonly (keyof ProvisioningOptions)[] = [
  'issuer',
  'audience',
  'signingKeys',
  'clients',
  'policy',
  'store',
  'mountPath',
  'rateLimit',
  'dpop',
  'realm',
  'environment',
  'clockToleranceSeconds',
  'observer',
  'now',
]

const STORE_VERBS: readonly (keyof ProvisioningStore)[] = [
  'record',
  'find',
  'redeem',
  'settle',
  'release',
  'revoke',
  'revokeFamily',
  'useOnce',
]

/**
 * Parses the options into a total, frozen configuration.
 *
 * @throws ConfigurationError every fault at once
 */
export function parseOptions(options: ProvisioningOptions): Config {
  const noted = faults()
  const given: Partial<ProvisioningOptions> = isObject(options) ? options : {}
  if (!isObject(options)) noted.add('options', 'an object', describeSecret(options))
  noted.addUnknownNames('', given, NAMES)
  readPlain(given, noted)
  const issuer = readIssuer(given.issuer, noted)
  const audiences = readAudiences(given.audience, noted)
  const keyRing = readSigningKeys(given.signingKeys, noted)
  const policy = readPolicy('policy', given.policy, noted)
  const { maxLifetimeSeconds = DEFAULTS.maxLifetimeSeconds } = policy
  judgePolicy('policy', policy, { audiences, maxLifetimeSeconds }, noted)
  const outer = { ...policy, audiences: policy.audiences ?? audiences }
  const clients = readClients(given.clients, outer, noted)
  const rateLimits = readRateLimits(given.rateLimit, noted)
  const now = given.now ?? Date.now
  const dpop = readDpop(given.dpop, now, noted)
  noted.throwIfAny()
  // Each of them is there when there is no fault.
  if (!(issuer && keyRing && clients)) throw new ConfigurationError(noted.list)

  const events = eventHub(now, warnOfObserver)
  if (given.observer !== undefined) events.on('*', given.observer)
  const deployment: Deployment = Object.freeze({
    issuer: options.issuer,
    audiences,
    environment: given.environment,
    keyRing,
    ...clients,
    policyOf: (client: Client) => completePolicy(client.policy ?? {}, outer),
    maxLifetimeSeconds,
    store: given.store ?? memoryStore({ now }),
    clockToleranceSeconds: given.clockToleranceSeconds ?? 5,
    dpop,
    now,
    emit: events.emit,
  })
  const { mountPath = '/oauth', realm = issuer.host } = given
  return Object.freeze({ deployment, events, mountPath, rateLimits, realm, knownScopes: policy.scopes ?? [] })
}

function warnOfObserver(fault: unknown): void {
  const message = fault instanceof Error ? String(fault.message) : 'it threw something that is no error'
  process.emitWarning(`An observer of provisioning events failed: ${scrub(message)}`, {
    type: 'ProvisioningKeysWarning',
    code: 'EPK_OBSERVER',
  })
}

function readIssuer(value: unknown, noted: Faults): URL | undefined {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  // Exact as clients will write it: what a URL parser would change could never match (RFC 8414 3.3).
  const isCanonical = url !== undefined && (url.href === value || url.href === `${value}/`)
  const isPlain = url?.username === '' && url.password === '' && !/[?#]/.test(url.href)
  if (url?.protocol === 'https:' && isCanonical && isPlain) return url
  noted.add('issuer', 'an https URL without query, fragment or credentials (RFC 8414 2)', describe(value))
  return undefined
}

function readAudiences(value: unknown, noted: Faults): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (Array.isArray(value) && value.length > 0) readList('audience', list, AUDIENCE, noted)
  else if (typeof value !== 'string' || !AUDIENCE.accepts(value))
    noted.add('audience', AUDIENCE.expected, describe(value))
  return Object.freeze(list.filter((one) => typeof one === 'string'))
}

/** What each plain option must be, and how to tell. */
const PLAIN: Readonly<Record<string, readonly [expected: string, accepts: (value: never) => boolean]>> = {
  store: [
    'a ProvisioningStore, such as memoryStore()',
    (store: unknown) => isObject(store) && STORE_VERBS.every((verb) => typeof store[verb] === 'function'),
  ],
  mountPath: [
    'a path such as /oauth, without a slash at its end',
    (path: unknown) => typeof path === 'string' && /^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/.test(path),
  ],
  realm: [
    'printable ASCII without quotes',
    (realm: unknown) => typeof realm === 'string' && /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(realm),
  ],
  environment: [
    '1 to 64 letters, digits, dots, hyphens',
    (name: unknown) => typeof name === 'string' && /^[\w.-]{1,64}$/.test(name),
  ],
  clockToleranceSeconds: [
    'a whole number from 0 to 60 seconds',
    (seconds: unknown) => Number.isInteger(seconds) && Number(seconds) >= 0 && Number(seconds) <= 60,
  ],
  observer: ['a function', (observer: unknown) => typeof observer === 'function'],
  now: [
    'a function that answers milliseconds',
    (now: unknown) => typeof now === 'function' && answersTime(now as () => unknown),
  ],
}

function answersTime(now: () => unknown): boolean {
  try {
    return Number.isFinite(now())
  } catch {
    return false
  }
}

function readPlain(given: Record<string, unknown>, noted: Faults): void {
  for (const [name, [expected, accepts]] of Object.entries(PLAIN)) {
    const value = given[name]
    if (value !== undefined && !accepts(value as never))
      noted.add(name, expected, name === 'store' ? describeSecret(value) : describe(value))
  }
}
