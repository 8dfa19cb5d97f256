import { describeSecret, type Faults, faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { aFunction, object, type Read, required, whole } from '../base/schema.js'
import type { PublicJwk } from '../jose/jwk.js'
import type { VerificationKeys } from '../jose/key-ring.js'
import { type EventHub, eventHub } from '../monitoring/event-hub.js'
import type { AskingDeployment, StoringDeployment, VerifyingDeployment } from '../ports/deployment.js'
import type { Observer } from '../ports/events.js'
import type { AskIssuer } from '../ports/issuer-state.js'
import type { ProvisioningStore } from '../ports/store.js'
import { checkedStore } from '../stores/checked-store.js'
import { identifiersInMemory, sharedLimits } from '../stores/memory/used-identifiers.js'
import { type DpopOptions, dpopRules, readDpop } from './dpop.js'
import { type MtlsOptions, type MtlsRules, NO_MTLS, readMtls } from './mtls.js'
import { DEFAULTS } from './narrowing.js'
import { warnOfObserver } from './options.js'
import * as plain from './plain.js'
import { LONGEST_LIFETIME_SECONDS, lifetime } from './policy.js'
import { type RateLimitOptions, type RateLimits, rateLimitReader } from './rate-limits.js'
import {
  type IntrospectionOptions,
  type JwksCacheOptions,
  type RemoteParts,
  readCache,
  readIntrospection,
  readJwks,
} from './remote.js'

/** The options of an API that verifies the keys of another process. They are validated together at creation. */
export interface VerifierOptions {
  /** The issuer identifier, exactly as the issuer has it. */
  readonly issuer: string
  /** The audience, or audiences, of this API: those that its keys must be for. */
  readonly audience: string | readonly string[]
  /** The https URL of the issuer's JWK Set, or the set itself. */
  readonly jwks: string | URL | { readonly keys: readonly PublicJwk[] }
  /** The store that the issuer keeps the state of keys in, where this process can reach it. */
  readonly store?: ProvisioningStore
  /** Where and as whom the issuer is asked for the state of keys, where there is no common store. */
  readonly introspection?: IntrospectionOptions
  /** For how long the issuer's keys are used once they have been fetched. */
  readonly jwksCache?: JwksCacheOptions
  /** How long one answer of the issuer may take, in seconds. Default 5, at most 60. */
  readonly timeoutSeconds?: number
  /** What the issuer is reached with, such as a `fetch` that trusts a certificate authority of yours. Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** The longest lifetime a key may have been given, in seconds. Default 900, at most 3600. */
  readonly maxLifetimeSeconds?: number
  /** The longest lifetime an access token may have been given, in seconds. Default and maximum 3600. */
  readonly maxAccessTokenLifetimeSeconds?: number
  /** Limits of `redeemProvisioningKey()`; `false` for none. Default: 300 a minute per address, and per key. */
  readonly rateLimit?: false | Pick<RateLimitOptions, 'redeem' | 'store' | 'timeoutSeconds'>
  /** How DPoP proofs are validated. A `nonceSecret` must be the issuer's. */
  readonly dpop?: DpopOptions
  /** Client certificates that proxies pass on. */
  readonly mtls?: MtlsOptions
  /** The `realm` of challenges (RFC 9110 11.5). Default: the issuer's host. */
  readonly realm?: string
  /** The name of the deployment, as the issuer has it; keys of another are refused. Default: none. */
  readonly environment?: string
  /** How far clocks may differ, in seconds, both ways. Default 5, at most 60. */
  readonly clockToleranceSeconds?: number
  /** Receives every event; the same as `on('*', observer)`. */
  readonly observer?: Observer
  /** How long a stuck redemption keeps its key reserved, in seconds, as at the issuer. Default 30, at most 900. */
  readonly redemptionLeaseSeconds?: number
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/** The options, parsed. */
export interface VerifierConfig {
  readonly deployment: VerifyingDeployment
  readonly events: EventHub
  readonly rateLimits: RateLimits
  readonly mtls: MtlsRules
  readonly realm: string
}

type Parsed = Read<
  VerifierOptions,
  {
    audience: readonly string[]
    jwks: (parts: RemoteParts) => VerificationKeys
    introspection: (parts: RemoteParts) => AskIssuer
    rateLimit: RateLimits
    mtls: MtlsRules
  }
>

const readRateLimits = rateLimitReader(['redeem'])

const readMembers = object<Parsed>({
  issuer: required(plain.issuer),
  audience: required(plain.audience),
  jwks: required(readJwks),
  store: plain.store,
  introspection: readIntrospection,
  jwksCache: readCache,
  timeoutSeconds: whole(1, 60, ' seconds'),
  fetch: aFunction('a function like the global fetch'),
  maxLifetimeSeconds: lifetime,
  maxAccessTokenLifetimeSeconds: lifetime,
  rateLimit: readRateLimits,
  dpop: readDpop,
  mtls: readMtls,
  realm: plain.realm,
  environment: plain.environment,
  clockToleranceSeconds: plain.clockToleranceSeconds,
  redemptionLeaseSeconds: plain.redemptionLeaseSeconds,
  observer: plain.observer,
  now: plain.now,
})

/**
 * Parses the options of a verifier into a total, frozen configuration.
 *
 * @throws ConfigurationError with all faults
 */
export function parseVerifierOptions(options: VerifierOptions): VerifierConfig {
  const noted = faults()
  if (!isObject(options)) noted.reject('options', 'an object', options, describeSecret)
  const given: Partial<VerifierOptions> = isObject(options) ? options : {}
  const read = readMembers(given, '', noted)
  noteState(given, noted)
  noted.throwIfAny()

  const { realm = new URL(read.issuer).host, now = Date.now, mtls = NO_MTLS } = read
  const events = eventHub(now, warnOfObserver)
  if (read.observer !== undefined) events.on('*', read.observer)
  const deployment = Object.freeze(deploymentOf({ ...read, now }, events))
  const rateLimits = read.rateLimit ?? readRateLimits({}, '', noted)
  return Object.freeze({ deployment, events, rateLimits, mtls, realm })
}

/** A key does not say whether it has been redeemed or revoked, so the state must come from elsewhere. */
function noteState({ store, introspection }: Partial<VerifierOptions>, noted: Faults): void {
  if (store === undefined && introspection === undefined) noted.add('store', STATE_NEEDED, 'neither')
  if (store !== undefined && introspection !== undefined)
    noted.add('store', 'either a store or introspection', 'both')
}

const STATE_NEEDED =
  'a store or introspection, since nothing in a key says whether it has been redeemed or revoked: give the store that ' +
  'the issuer keeps keys in, or let introspection ask the issuer'

function deploymentOf(
  read: Parsed & { readonly now: () => number },
  { emit }: EventHub,
): VerifyingDeployment {
  const { issuer, now, store, jwksCache = {}, fetch = globalThis.fetch, timeoutSeconds = 5 } = read
  const fetching = { fetch, timeoutMilliseconds: timeoutSeconds * 1000 }
  const remote = { issuer, fetching, jwksCache, now, emit }
  const { maxLifetimeSeconds = DEFAULTS.maxLifetimeSeconds, clockToleranceSeconds = 5 } = read
  const common = {
    issuer,
    audiences: read.audience,
    environment: read.environment,
    keyRing: read.jwks(remote),
    maxLifetimeSeconds,
    maxAccessTokenLifetimeSeconds: read.maxAccessTokenLifetimeSeconds ?? LONGEST_LIFETIME_SECONDS,
    issueAccessToken: undefined,
    clockToleranceSeconds,
    dpop: dpopRules(read.dpop, now),
    now,
    emit,
  }
  if (store !== undefined)
    return {
      ...common,
      ...plain.storing(read),
      store: checkedStore(store),
    } satisfies StoringDeployment
  return {
    ...common,
    store: identifiersInMemory(sharedLimits(MOST_PROOFS), now),
    askIssuer: read.introspection?.(remote) as AskIssuer,
  } satisfies AskingDeployment
}

/** The most used proofs that are remembered. At this cap, requests with a proof are refused. */
const MOST_PROOFS = 100_000
