import { deadline } from '../base/deadline.js'
import { newFaults } from '../base/faults.js'
import { aFunction, noteExclusive, object, type Read, required, whole } from '../base/schema.js'
import type { VerificationKeys } from '../jose/key-ring.js'
import type { EventHub } from '../monitoring/event-hub.js'
import type { UseCaseRecorder } from '../monitoring/use-case-recorder.js'
import type { VerifyingDeployment } from '../ports/deployment.js'
import type { AskIssuer } from '../ports/issuer-state.js'
import { identifiersInMemory, sharedLimits } from '../stores/memory/used-identifiers.js'
import { isLocalIssuer } from './local.js'
import type { MonitoringRules } from './monitoring.js'
import type { MtlsRules } from './mtls.js'
import { DEFAULTS } from './narrowing.js'
import { LONGEST_LIFETIME_SECONDS, lifetime } from './policy.js'
import { type RateLimits, rateLimitReader } from './rate-limits.js'
import { introspectionReader, jwksReader, type RemoteParts, readCache } from './remote.js'
import { completeShared, measuredStore, requireObject, sharedMembers } from './shared-options.js'
import type { VerifierOptions } from './verifier-options.js'

export interface VerifierConfig {
  readonly deployment: VerifyingDeployment
  readonly events: EventHub
  /** Measures and traces the use cases. `undefined` without telemetry. */
  readonly useCases: UseCaseRecorder | undefined
  readonly rateLimits: RateLimits
  readonly mtls: MtlsRules
  /** Whether the issuer is an http URL of this machine. */
  readonly isLocal: boolean
  /** The page that explains refusals, for links to it. */
  readonly docsUrl: string | undefined
  readonly realm: string
  /** The rules that find misuse; `false` if they are switched off. */
  readonly monitoring: false | MonitoringRules
}

type Parsed = Read<
  VerifierOptions,
  {
    audience: readonly string[]
    jwks: (parts: RemoteParts) => VerificationKeys
    introspection: (parts: RemoteParts) => AskIssuer
    rateLimit: RateLimits
    mtls: MtlsRules
    monitoring: false | MonitoringRules
  }
>

const readRateLimits = rateLimitReader(['redeem'])

const readersOf = (isLocal: boolean) =>
  object<Parsed>({
    ...sharedMembers,
    jwks: required(jwksReader(isLocal)),
    introspection: introspectionReader(isLocal),
    jwksCache: readCache,
    timeoutSeconds: whole(1, 60, ' seconds'),
    fetch: aFunction('a function like the global fetch'),
    maxLifetimeSeconds: lifetime,
    maxAccessTokenLifetimeSeconds: lifetime,
    rateLimit: readRateLimits,
  })

const READERS = { local: readersOf(true), remote: readersOf(false) }

/** The most used proofs that a process without a store remembers. Beyond it, requests with a proof are refused. */
const MOST_PROOFS = 100_000

const STATE = 'either store or introspection, because a key does not show whether it was redeemed or revoked'

/**
 * Parses the options of a verifier into a complete, frozen configuration.
 *
 * @throws ConfigurationError with all faults
 */
export function parseVerifierOptions(options: VerifierOptions): VerifierConfig {
  const faults = newFaults()
  const given = requireObject(options, faults)
  const read = READERS[isLocalIssuer(given.issuer) ? 'local' : 'remote'](given, '', faults)
  const rateLimits = read.rateLimit ?? readRateLimits({}, '', faults)
  noteExclusive(options, ['store', 'introspection'], { path: 'store', faults, expected: STATE })
  faults.throwIfAny(read.docs?.url)

  const { verification, reservations, http, telemetry } = completeShared(read)
  const { issuer, now, emit } = verification
  const { store, introspection, jwksCache = {}, fetch = globalThis.fetch, timeoutSeconds = 5 } = read
  const remote = {
    issuer,
    now,
    emit,
    jwksCache,
    fetching: { fetch, inTime: deadline({ milliseconds: timeoutSeconds * 1000, who: 'The server' }) },
  }
  const rules = {
    ...verification,
    keyRing: read.jwks(remote),
    maxLifetimeSeconds: read.maxLifetimeSeconds ?? DEFAULTS.maxLifetimeSeconds,
    maxAccessTokenLifetimeSeconds: read.maxAccessTokenLifetimeSeconds ?? LONGEST_LIFETIME_SECONDS,
    issueAccessToken: undefined,
  }
  const deployment: VerifyingDeployment = Object.freeze(
    store === undefined
      ? {
          ...rules,
          store: identifiersInMemory(sharedLimits(MOST_PROOFS), now),
          askIssuer: introspection?.(remote) as AskIssuer,
        }
      : { ...rules, ...reservations, store: measuredStore(store, telemetry) },
  )
  return Object.freeze({ deployment, ...http, rateLimits })
}
