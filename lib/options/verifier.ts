import { ConfigurationError } from '../base/errors.js'
import { describeSecret, type Faults, faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { PublicJwk } from '../jose/jwk.js'
import { type EventHub, eventHub } from '../monitoring/event-hub.js'
import type { AskingDeployment, StoringDeployment, VerifyingDeployment } from '../ports/deployment.js'
import type { Observer } from '../ports/events.js'
import type { ProvisioningStore } from '../ports/store.js'
import { checkedStore } from '../stores/checked-store.js'
import { identifiersInMemory, sharedLimits } from '../stores/memory/used-identifiers.js'
import { type DpopOptions, readDpop } from './dpop.js'
import { type MtlsOptions, type MtlsRules, readMtls } from './mtls.js'
import { DEFAULTS } from './narrowing.js'
import { warnOfObserver } from './options.js'
import { readAudiences, readIssuer, readPlain, storing } from './plain.js'
import { LONGEST_LIFETIME_SECONDS, readCount } from './policy.js'
import { type RateLimitOptions, type RateLimits, readRateLimits } from './rate-limits.js'
import {
  type IntrospectionOptions,
  type JwksCacheOptions,
  readFetching,
  readIntrospection,
  readJwks,
} from './remote.js'

/** How an API verifies keys that are issued by another process. All of it is judged at once, when it is made. */
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
  /** How DPoP proofs are judged. A `nonceSecret` has to be the issuer's. */
  readonly dpop?: DpopOptions
  /** Client certificates that proxies pass on. */
  readonly mtls?: MtlsOptions
  /** The `realm` of challenges (RFC 9110 11.5). Default: the issuer's host. */
  readonly realm?: string
  /** The name of the deployment, as the issuer has it; keys of another are refused. Default: none. */
  readonly environment?: string
  /** How far clocks may differ, in seconds, both ways. Default 5, at most 60. */
  readonly clockToleranceSeconds?: number
  /** Is told of every event; the same as `on('*', observer)`. */
  readonly observer?: Observer
  /** As the issuer has it: how long a redemption that got stuck holds its key, in seconds. Default 30, at most 900. */
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

const NAMES: readonly (keyof VerifierOptions)[] = [
  'issuer',
  'audience',
  'jwks',
  'store',
  'introspection',
  'jwksCache',
  'timeoutSeconds',
  'fetch',
  'maxLifetimeSeconds',
  'maxAccessTokenLifetimeSeconds',
  'rateLimit',
  'dpop',
  'mtls',
  'realm',
  'environment',
  'clockToleranceSeconds',
  'redemptionLeaseSeconds',
  'observer',
  'now',
]

/**
 * Parses the options of a verifier into a total, frozen configuration.
 *
 * @throws ConfigurationError every fault at once
 */
export function parseVerifierOptions(options: VerifierOptions): VerifierConfig {
  const noted = faults()
  const given: Partial<VerifierOptions> = isObject(options) ? options : {}
  if (!isObject(options)) noted.add('options', 'an object', describeSecret(options))
  noted.addUnknownNames('', given, NAMES)
  readPlain({ ...given }, noted)
  noteState(given, noted)
  const parts = readParts(given, noted)
  noted.throwIfAny()
  const { issuer, keys, introspection, rules } = parts
  // Each of them is there when there is no fault.
  if (!(issuer && keys)) throw new ConfigurationError(noted.list)

  const events = eventHub(rules.now, warnOfObserver)
  if (given.observer !== undefined) events.on('*', given.observer)
  const remote = { issuer: options.issuer, fetching: parts.fetching, now: rules.now, emit: events.emit }
  const common = { ...rules, issuer: options.issuer, keyRing: keys(remote), emit: events.emit }
  const deployment: VerifyingDeployment =
    introspection === undefined
      ? ({
          ...common,
          ...storing(given),
          store: checkedStore(given.store as ProvisioningStore),
        } satisfies StoringDeployment)
      : ({
          ...common,
          store: identifiersInMemory(sharedLimits(MOST_PROOFS), rules.now),
          askIssuer: introspection(remote),
        } satisfies AskingDeployment)
  const { realm = issuer.host } = given
  const { rateLimits, mtls } = parts
  return Object.freeze({ deployment: Object.freeze(deployment), events, rateLimits, mtls, realm })
}

/** Whether a key has been redeemed or revoked stands in no key: someone has to know it. */
function noteState({ store, introspection }: Partial<VerifierOptions>, noted: Faults): void {
  if (store === undefined && introspection === undefined) noted.add('store', STATE_NEEDED, 'neither')
  if (store !== undefined && introspection !== undefined)
    noted.add('store', 'either a store or introspection', 'both')
}

const STATE_NEEDED =
  'a store or introspection, since nothing in a key says whether it has been redeemed or revoked: give the store that ' +
  'the issuer keeps keys in, or let introspection ask the issuer'

/** Reads each option that has parts of its own; what is at fault is noted, and absent or incomplete in the answer. */
function readParts(given: Partial<VerifierOptions>, noted: Faults) {
  const now = given.now ?? Date.now
  const seconds = (name: 'maxLifetimeSeconds' | 'maxAccessTokenLifetimeSeconds') =>
    readCount(name, given[name], { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' }, noted)
  return {
    issuer: readIssuer(given.issuer, noted),
    keys: readJwks(given.jwks, given.jwksCache, noted),
    introspection: readIntrospection(given.introspection, noted),
    fetching: readFetching({ ...given }, noted),
    rateLimits: readRateLimits(given.rateLimit, noted, ['redeem']),
    mtls: readMtls(given.mtls, noted),
    rules: {
      audiences: readAudiences(given.audience, noted),
      environment: given.environment,
      maxLifetimeSeconds: seconds('maxLifetimeSeconds') ?? DEFAULTS.maxLifetimeSeconds,
      maxAccessTokenLifetimeSeconds: seconds('maxAccessTokenLifetimeSeconds') ?? LONGEST_LIFETIME_SECONDS,
      issueAccessToken: undefined,
      clockToleranceSeconds: given.clockToleranceSeconds ?? 5,
      dpop: readDpop(given.dpop, now, noted),
      now,
    },
  }
}

/** How many proofs that have been used are remembered at once; at the cap requests with a proof are refused. */
const MOST_PROOFS = 100_000
