import { ConfigurationError } from '../base/errors.js'
import { describeSecret, type Faults, faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { scrub } from '../base/secret.js'
import { keyRing, type RotatingKeyRing } from '../jose/key-ring.js'
import { type EventHub, eventHub } from '../monitoring/event-hub.js'
import type { IssueAccessToken } from '../ports/access-token-identity.js'
import type { Client, ClientRegistry } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import type { Observer } from '../ports/events.js'
import type { PolicyBounds, PolicyOptions } from '../ports/policy-options.js'
import type { ProvisioningStore } from '../ports/store.js'
import { checkedStore } from '../stores/checked-store.js'
import { memoryStore } from '../stores/memory/memory.js'
import { faultOfMemory } from '../stores/memory/memory-options.js'
import type { ClientOptions } from './client.js'
import { type ClientLookup, readClients } from './clients.js'
import { type DpopOptions, readDpop } from './dpop.js'
import { readIssueAccessToken } from './issue-access-token.js'
import { type MtlsOptions, type MtlsRules, readMtls } from './mtls.js'
import { completePolicy, DEFAULTS, judgePolicy } from './narrowing.js'
import { readAudiences, readIssuer, readPlain, storing } from './plain.js'
import { LONGEST_LIFETIME_SECONDS, readPolicy } from './policy.js'
import { type RateLimitOptions, type RateLimits, readRateLimits } from './rate-limits.js'
import { judgeRegistration, type RegistrationOptions, readRegistration } from './registration.js'
import { readSigningKeys, type SigningKeyInput, type SigningKeys } from './signing-keys.js'

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
  /**
   * Asks your own authorization server for the access token that a key is redeemed for, within 10 seconds. Default:
   * it is minted here, and `requireAccessToken()` guards routes with it.
   */
  readonly issueAccessToken?: IssueAccessToken
  /**
   * Where the state of keys lives. Default `memoryStore()`: one process, forgotten with it; refused in a worker of
   * `node:cluster`.
   */
  readonly store?: ProvisioningStore
  /** The path under the issuer's origin at which the endpoints are reached. Default `/oauth`. */
  readonly mountPath?: string
  /** Limits per endpoint; `false` for none at all. Default: 300 a minute per address, and per client. */
  readonly rateLimit?: false | RateLimitOptions
  /** How DPoP proofs are judged. Default: they are accepted, and need no nonce. */
  readonly dpop?: DpopOptions
  /** Client certificates: proxies that pass them on, and where connections are asked for them. */
  readonly mtls?: MtlsOptions
  /** How clients register and manage their registration (RFC 7591, RFC 7592). */
  readonly registration?: RegistrationOptions
  /** The `realm` of challenges (RFC 9110 11.5). Default: the issuer's host. */
  readonly realm?: string
  /** The name of this deployment, such as `staging`; keys of another are refused. Default: none. */
  readonly environment?: string
  /** How far clocks may differ, in seconds, both ways. Default 5, at most 60. */
  readonly clockToleranceSeconds?: number
  /**
   * How long a redemption that got stuck, because its process died, holds its key, in seconds. After that the same holder
   * of a sender-constrained key may try again; nobody else ever may. Longer than whatever is done behind
   * `redeemProvisioningKey()` takes. Default 30, at most 900.
   */
  readonly redemptionLeaseSeconds?: number
  /** Is told of every event; the same as `keys.on('*', observer)`. */
  readonly observer?: Observer
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/** The options, parsed: what the HTTP side needs besides the deployment. */
export interface Config {
  readonly deployment: Deployment
  readonly events: EventHub
  /** The deployment's, which can be changed through it. */
  readonly keyRing: RotatingKeyRing
  readonly mountPath: string
  readonly rateLimits: RateLimits
  readonly realm: string
  readonly mtls: MtlsRules
  /** The scopes that any client could be granted, as far as they are known before one asks. */
  readonly knownScopes: readonly string[]
}

const NAMES: readonly (keyof ProvisioningOptions)[] = [
  'issuer',
  'audience',
  'signingKeys',
  'clients',
  'policy',
  'issueAccessToken',
  'store',
  'mountPath',
  'rateLimit',
  'dpop',
  'mtls',
  'registration',
  'realm',
  'environment',
  'clockToleranceSeconds',
  'redemptionLeaseSeconds',
  'observer',
  'now',
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
  const parts = readParts(given, noted)
  noted.throwIfAny()
  const { issuer, signingKeys, clients, policy, audiences } = parts
  // Each of them is there when there is no fault.
  if (!(issuer && signingKeys && clients)) throw new ConfigurationError(noted.list)

  const events = eventHub(parts.now, warnOfObserver)
  if (given.observer !== undefined) events.on('*', given.observer)
  const { clockToleranceSeconds = 5 } = given
  const ring = ringOf(signingKeys, parts, clockToleranceSeconds)
  const deployment: Deployment = Object.freeze({
    issuer: options.issuer,
    audiences,
    environment: given.environment,
    keyRing: ring,
    ...clients,
    policyOf: (client: Client, within: PolicyBounds = parts.outer) =>
      completePolicy(client.policy ?? {}, within, isCertificateBound(client)),
    maxLifetimeSeconds: parts.maxLifetimeSeconds,
    maxAccessTokenLifetimeSeconds: parts.maxAccessTokenLifetimeSeconds,
    issueAccessToken: parts.issueAccessToken,
    store: checkedStore(given.store ?? memoryStore({ now: parts.now })),
    clockToleranceSeconds,
    ...storing(given),
    dpop: parts.dpop,
    registration: parts.registration,
    now: parts.now,
    emit: events.emit,
  })
  const { mountPath = '/oauth', realm = issuer.host } = given
  const { rateLimits, mtls } = parts
  const http = { mountPath, realm, rateLimits, mtls, knownScopes: policy.scopes ?? [] }
  return Object.freeze({ deployment, events, keyRing: ring, ...http })
}

function ringOf(
  { active, others }: SigningKeys,
  lifetimes: Pick<Deployment, 'now' | 'maxLifetimeSeconds' | 'maxAccessTokenLifetimeSeconds'>,
  toleranceSeconds: number,
): RotatingKeyRing {
  const { now, maxLifetimeSeconds, maxAccessTokenLifetimeSeconds } = lifetimes
  const longestLifetimeSeconds = Math.max(maxLifetimeSeconds, maxAccessTokenLifetimeSeconds)
  return keyRing(active, others, { now, toleranceSeconds, longestLifetimeSeconds })
}

/** Reads each option that has parts of its own; what is at fault is noted, and absent or incomplete in the answer. */
function readParts(given: Partial<ProvisioningOptions>, noted: Faults) {
  const issuer = readIssuer(given.issuer, noted)
  const audiences = readAudiences(given.audience, noted)
  const policy = readPolicy('policy', given.policy, noted)
  const { maxLifetimeSeconds = DEFAULTS.maxLifetimeSeconds } = policy
  judgePolicy('policy', policy, { audiences, maxLifetimeSeconds }, noted)
  if (policy.introspectAudiences !== undefined) {
    noted.add('policy.introspectAudiences', 'this in the policy of a client', 'it for everybody')
  }
  const outer = { ...policy, audiences: policy.audiences ?? audiences }
  const now = given.now ?? Date.now
  const inMemory = given.store === undefined ? faultOfMemory() : undefined
  if (inMemory !== undefined) noted.add('store', inMemory.expected, inMemory.got)
  const registration = readRegistration(given.registration, noted)
  judgeRegistration(given, registration, noted)
  return {
    issuer,
    audiences,
    policy,
    maxLifetimeSeconds,
    maxAccessTokenLifetimeSeconds: policy.accessTokenLifetimeSeconds ?? LONGEST_LIFETIME_SECONDS,
    outer,
    now,
    signingKeys: readSigningKeys(given.signingKeys, noted),
    clients: readClients(given.clients, outer, noted),
    rateLimits: readRateLimits(given.rateLimit, noted),
    dpop: readDpop(given.dpop, now, noted),
    registration,
    issueAccessToken: readIssueAccessToken(given.issueAccessToken, noted),
    mtls: readMtls(given.mtls, noted),
  }
}

function isCertificateBound({ metadata }: Client): boolean {
  return metadata?.tls_client_certificate_bound_access_tokens === true
}

/** Warns of an observer that failed, since nobody else will. */
export function warnOfObserver(fault: unknown): void {
  const message = fault instanceof Error ? String(fault.message) : 'it threw something that is no error'
  process.emitWarning(`An observer of provisioning events failed: ${scrub(message)}`, {
    type: 'ProvisioningKeysWarning',
    code: 'EPK_OBSERVER',
  })
}
