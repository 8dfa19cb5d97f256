import { deadline } from '../base/deadline.js'
import { type Faults, join, newFaults } from '../base/faults.js'
import { aFunction, flag, object, type Read, type Reader, required, text } from '../base/schema.js'
import { LastUses } from '../clients/last-use.js'
import { isForEnrollment } from '../clients/scopes.js'
import { Decoys } from '../jose/decoys.js'
import { KeyRing } from '../jose/key-ring.js'
import type { IssueAccessToken, IssueInTime } from '../ports/access-token-identity.js'
import type { Deployment, UsedClient } from '../ports/deployment.js'
import type { PolicyBounds } from '../ports/policy-options.js'
import type { RegistrationRules } from '../ports/rules.js'
import { memoryStore } from '../stores/memory/memory.js'
import { faultOfMemory } from '../stores/memory/memory-options.js'
import { type ReadClients, readClients } from './clients.js'
import { isProduction } from './local.js'
import type { MonitoringRules } from './monitoring.js'
import type { MtlsRules } from './mtls.js'
import { DEFAULTS, policyCompleter, validatePolicy } from './narrowing.js'
import { LONGEST_LIFETIME_SECONDS, readPolicy } from './policy.js'
import type { ProvisioningOptions } from './provisioning-options.js'
import { type RateLimits, rateLimitReader } from './rate-limits.js'
import { readRegistration, validateRegistration } from './registration.js'
import { completeShared, measuredStore, requireObject, sharedMembers } from './shared-options.js'
import { readSigningKeys, type SigningKeys } from './signing-keys.js'
import type { VerifierConfig } from './verifier.js'

export interface Config extends Omit<VerifierConfig, 'deployment'> {
  readonly deployment: Deployment
  readonly mountPath: string
  /** Whether a restart in production loses devices that have enrolled, because the clients are in memory. */
  readonly losesDevices: boolean
  /** Whether clients can check their keys without redeeming them. */
  readonly isStaging: boolean
  /** The scopes in the policy of the deployment. */
  readonly knownScopes: readonly string[]
  /** The clients of a list, with their paths. Empty if they are looked up. */
  readonly listed: ReadClients['listed']
  /** All scopes of all policies; `undefined` if the clients are looked up. */
  readonly grantableScopes: readonly string[] | undefined
}

type Parsed = Read<
  ProvisioningOptions,
  {
    audience: readonly string[]
    signingKeys: SigningKeys
    clients: ReadClients
    issueAccessToken: IssueInTime
    rateLimit: RateLimits
    mtls: MtlsRules
    monitoring: false | MonitoringRules
    registration: RegistrationRules
  }
>

/** The client waits for the authorization server of the host meanwhile, and its key stays reserved. */
const LONGEST_ISSUANCE_MILLISECONDS = 10_000

const readIssueFunction = aFunction<IssueAccessToken>('a function that returns an access token')

const readIssueAccessToken: Reader<IssueInTime> = (value, path, faults) =>
  issueInTime(readIssueFunction(value, path, faults), LONGEST_ISSUANCE_MILLISECONDS)

/** Limits the time of a function, and gives it a signal to stop its work. */
export function issueInTime(issue: IssueAccessToken, milliseconds: number): IssueInTime {
  const run = deadline({ milliseconds, who: 'issueAccessToken' })
  return (identity) => run(({ signal }) => issue(identity, { signal }))
}

const readRateLimits = rateLimitReader()

const readMembers = object<Parsed>({
  ...sharedMembers,
  signingKeys: required(readSigningKeys),
  clients: required(readClients),
  policy: readPolicy,
  issueAccessToken: readIssueAccessToken,
  mountPath: text('a path such as /oauth, without a slash at its end', /^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/),
  rateLimit: readRateLimits,
  registration: readRegistration,
  staging: flag,
})

/**
 * Parses the options into a complete, frozen configuration.
 *
 * @throws ConfigurationError with all faults
 */
export function parseOptions(options: ProvisioningOptions): Config {
  const faults = newFaults()
  const read = readMembers(requireObject(options, faults), '', faults)
  const registration = read.registration ?? readRegistration({}, '', faults)
  const rateLimits = read.rateLimit ?? readRateLimits({}, '', faults)
  const outer = validateTogether({ ...read, registration }, faults)
  faults.throwIfAny(read.docs?.url)

  const { verification, reservations, http, telemetry } = completeShared(read)
  const { signingKeys, clients, issueAccessToken, store, mountPath = '/oauth' } = read
  const { now, clockToleranceSeconds: toleranceSeconds } = verification
  const { maxLifetimeSeconds = DEFAULTS.maxLifetimeSeconds } = outer
  const maxAccessTokenLifetimeSeconds = outer.accessTokenLifetimeSeconds ?? LONGEST_LIFETIME_SECONDS
  const checked = measuredStore(store ?? memoryStore({ now }), telemetry)
  const lastUses = new LastUses(checked, now)
  const deployment: Deployment = Object.freeze({
    ...verification,
    ...reservations,
    keyRing: new KeyRing(signingKeys.active, signingKeys.others, {
      now,
      toleranceSeconds,
      longestLifetimeSeconds: Math.max(maxLifetimeSeconds, maxAccessTokenLifetimeSeconds),
    }),
    registry: clients.registry,
    registryWritable: clients.registryWritable,
    policyOf: policyCompleter(outer, clients.listed),
    maxLifetimeSeconds,
    maxAccessTokenLifetimeSeconds,
    issueAccessToken,
    store: checked,
    decoys: new Decoys(),
    canaries: http.monitoring === false ? new Set<string>() : http.monitoring.canaries,
    noteUse: (use: UsedClient) => lastUses.note(use),
    registration,
  })
  const { policy: { scopes } = {}, staging: isStaging = false } = read
  const ofClients = clientFacts(clients, scopes, deployment)
  return Object.freeze({ deployment, ...http, mountPath, rateLimits, isStaging, ...ofClients })
}

/** The listed clients, and the facts that follow. A client that registers or is bound gets no scopes outside the policies. */
function clientFacts(
  { listed }: ReadClients,
  scopes: readonly string[] | undefined,
  { policyOf }: Deployment,
): Pick<Config, 'listed' | 'knownScopes' | 'grantableScopes' | 'losesDevices'> {
  const knownScopes = scopes ?? []
  if (listed.length === 0) return { listed, knownScopes, grantableScopes: scopes, losesDevices: false }
  const ofClients = listed.flatMap(({ client }) => client.policy?.scopes ?? [])
  const canEnroll = listed.some(({ client }) => [...policyOf(client).scopes].some(isForEnrollment))
  return {
    listed,
    knownScopes,
    grantableScopes: [...new Set([...knownScopes, ...ofClients])],
    losesDevices: canEnroll && isProduction(),
  }
}

const SCOPES_OF_CLIENT =
  "the scopes that the client may ask for, here or for all clients, such as policy: { scopes: ['devices:create'] }"

/** Notes conflicts between options, and returns the bounds for all clients. */
function validateTogether(
  read: Partial<Parsed> & { readonly registration: RegistrationRules },
  faults: Faults,
): PolicyBounds {
  const { policy = {}, registration } = read
  const { audience: audiences = policy.audiences ?? [] } = read
  const { maxLifetimeSeconds = DEFAULTS.maxLifetimeSeconds } = policy
  validatePolicy('policy', policy, { audiences, maxLifetimeSeconds }, faults)
  validateRegistration('policy', policy, registration, faults)
  if (policy.introspectAudiences !== undefined)
    faults.add('policy.introspectAudiences', 'it only in the policy of a client', 'it for all clients')
  const inMemory = read.store === undefined ? faultOfMemory() : undefined
  if (inMemory !== undefined) faults.add('store', inMemory.expected, inMemory.got)
  const outer = { ...policy, audiences: policy.audiences ?? audiences }
  for (const { path, client } of read.clients?.listed ?? []) {
    const own = client.policy ?? {}
    const isNoted = faults.list.some(
      (fault) => fault.startsWith('policy') || fault.startsWith(`${path}.policy`),
    )
    if (own.scopes === undefined && outer.scopes === undefined && !isNoted)
      faults.add(join(path, 'policy.scopes'), SCOPES_OF_CLIENT, 'undefined')
    validatePolicy(join(path, 'policy'), own, outer, faults)
    validateRegistration(join(path, 'policy'), own, registration, faults)
  }
  return outer
}
