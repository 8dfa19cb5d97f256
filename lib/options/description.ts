import { ConfigurationError } from '../base/errors.js'
import { isObject } from '../base/object.js'
import type { KeyAlgorithm } from '../jose/jwk.js'
import type { SigningKey } from '../jose/key-ring.js'
import type { RuleId } from '../monitoring/rules/rule.js'
import { RULES } from '../monitoring/rules/rules.js'
import type { Client } from '../ports/client.js'
import type { Policy, PolicyOptions } from '../ports/policy-options.js'
import type { ProvisioningStore } from '../ports/store.js'
import { isInMemory } from '../stores/memory/memory.js'
import { ACCEPTED_HAZARDS, type RedisHazard } from '../stores/redis/redis-options.js'
import type { MonitoringRules } from './monitoring.js'
import type { Config } from './options.js'
import type { ProvisioningOptions } from './provisioning-options.js'
import { LIMITED_ENDPOINTS, type LimitedEndpoint } from './rate-limits.js'
import type { VerifierConfig } from './verifier.js'
import type { VerifierOptions } from './verifier-options.js'

export interface DescribedClient {
  /** The path of its policy in the options, such as `clients[0].policy`. */
  readonly path: string
  /** `undefined`: the bounds of the deployment, for clients that are looked up. */
  readonly clientId: string | undefined
  readonly authenticationMethods: readonly string[]
  readonly secret: 'plain' | 'hash' | 'none'
  readonly secretExpiresAt: number | undefined
  /** The first client in the list that has the same secret, or the same hash. */
  readonly sameSecretAs: string | undefined
  /** Whether the client names its own scopes. Otherwise it has those of the deployment. */
  readonly namesScopes: boolean
  /** The members of its policy that only the policy of the deployment sets. */
  readonly inherited: readonly string[]
  readonly policy: Omit<Policy, 'scopes' | 'accessTokenScopes' | 'clientScopes'> & {
    readonly scopes: readonly string[]
  }
}

export interface DescribedKey {
  readonly kid: string
  readonly alg: KeyAlgorithm
  readonly bits: number | undefined
  /** NumericDate: the `iat` of its JWK. */
  readonly createdAt: number | undefined
}

/** The facts about a configuration that a policy can be compared with. It contains no secret, and no text of a key. */
export interface ConfigurationDescription {
  /** Changes with these members: the command `review` can be of another version than the app. */
  readonly format: typeof FORMAT
  readonly kind: 'issuer' | 'verifier'
  readonly issuer: string
  readonly isLocal: boolean
  readonly isStaging: boolean
  /** Whether the option `now` replaces the clock. */
  readonly hasOwnClock: boolean
  readonly audiences: readonly string[]
  readonly environment: string | undefined
  readonly signingKeys: readonly DescribedKey[]
  readonly clients: readonly DescribedClient[]
  readonly store: { readonly kind: 'memory' | 'redis' | 'other'; readonly accepted: readonly RedisHazard[] }
  /** Accepted requests per minute of each endpoint. `custom`: a function decides. */
  readonly rateLimits: Readonly<Partial<Record<LimitedEndpoint, number | 'custom' | 'none'>>>
  readonly isRateLimitShared: boolean
  readonly proofAgeSeconds: number
  readonly hasNonces: boolean
  readonly clockToleranceSeconds: number
  /** 0: a verifier can be without a store, and redeem no keys. */
  readonly redemptionLeaseSeconds: number
  readonly hasObserver: boolean
  readonly audit: 'none' | 'open' | 'closed'
  /** The rules that are switched off. `all` if there is no monitoring. */
  readonly rulesOff: readonly RuleId[] | 'all'
  readonly exemptNetworks: readonly string[]
}

const FORMAT = 3
const DESCRIPTION = Symbol.for('express-provisioning-keys.description')

/** Adds a description to an object. `Object.keys`, JSON and the console do not show it. */
export function withDescription<T extends object>(keys: T, description: ConfigurationDescription): T {
  return Object.defineProperty(keys, DESCRIPTION, { value: description })
}

/**
 * The description of what `provisioningKeys()` or `provisioningKeyVerifier()` has made, in any copy of this package.
 * `undefined` if it is something else.
 *
 * @throws ConfigurationError if the copy has another version
 */
export function descriptionOf(keys: unknown): ConfigurationDescription | undefined {
  const found: unknown = isObject(keys) ? Reflect.get(keys, DESCRIPTION) : undefined
  if (!isObject(found)) return undefined
  if (found.format === FORMAT) return found as unknown as ConfigurationDescription
  const got = 'those of another version'
  throw new ConfigurationError([
    `keys: expected keys of this version of express-provisioning-keys, got ${got}`,
  ])
}

export function describeIssuer(options: ProvisioningOptions, config: Config): ConfigurationDescription {
  const { deployment } = config
  const inputs: readonly unknown[] = Array.isArray(options.signingKeys)
    ? options.signingKeys
    : [options.signingKeys]
  return Object.freeze({
    format: FORMAT,
    kind: 'issuer',
    ...described(options, config),
    isStaging: config.isStaging,
    signingKeys: deployment.keyRing.all().map((key, index) => describeKey(key, inputs[index])),
    clients: describeClients(options, config),
    redemptionLeaseSeconds: deployment.redemptionLeaseSeconds,
    store: describeStore(options.store),
  })
}

/** Describes the configuration of a verifier. Its issuer decides on signing keys and clients. */
export function describeVerifier(options: VerifierOptions, config: VerifierConfig): ConfigurationDescription {
  const store = options.store === undefined ? NO_STORE : describeStore(options.store)
  return Object.freeze({
    format: FORMAT,
    kind: 'verifier',
    ...described(options, config),
    isStaging: false,
    signingKeys: [],
    clients: [],
    redemptionLeaseSeconds: 0,
    store,
  })
}

/** A verifier without a store asks the issuer for the state of keys. */
const NO_STORE: ConfigurationDescription['store'] = { kind: 'other', accepted: [] }

function described(
  options: Pick<ProvisioningOptions, 'observer' | 'audit' | 'now'>,
  config: Pick<VerifierConfig, 'deployment' | 'rateLimits' | 'monitoring' | 'isLocal'>,
) {
  const { deployment, rateLimits, monitoring, isLocal } = config
  const { issuer, audiences, environment, dpop, clockToleranceSeconds } = deployment
  const { audit, observer } = options
  return {
    issuer,
    isLocal,
    hasOwnClock: options.now !== undefined,
    audiences,
    environment,
    rateLimits: perMinute(rateLimits.of),
    isRateLimitShared: rateLimits.store !== undefined,
    proofAgeSeconds: dpop.proofAgeSeconds,
    hasNonces: dpop.nonces !== undefined,
    clockToleranceSeconds,
    hasObserver: observer !== undefined,
    audit: audit === undefined ? 'none' : audit.failClosed === true ? 'closed' : 'open',
    rulesOff: monitoring === false ? 'all' : rulesOff(monitoring),
    exemptNetworks: monitoring === false ? [] : monitoring.exemptNetworks,
  } as const
}

/** The rule of canaries needs canaries, so nobody has switched it off. */
function rulesOff({ active }: MonitoringRules): RuleId[] {
  const on = new Set(active.map(({ rule }) => rule.id))
  return Object.values(RULES).flatMap(({ id }) => (on.has(id) || id === 'canary' ? [] : [id]))
}

function perMinute(limitOf: Config['rateLimits']['of']): ConfigurationDescription['rateLimits'] {
  const limits = LIMITED_ENDPOINTS.map((endpoint) => {
    const limit = limitOf(endpoint)
    if (limit === undefined) return [endpoint, 'none']
    const { limit: count, windowMs = 60_000 } = limit
    return [endpoint, typeof count === 'number' ? Math.ceil((count * 60_000) / windowMs) : 'custom']
  })
  return Object.fromEntries(limits)
}

function describeStore(store: ProvisioningStore | undefined): ConfigurationDescription['store'] {
  if (store === undefined || isInMemory(store)) return { kind: 'memory', accepted: [] }
  const accepted: unknown = Reflect.get(store, ACCEPTED_HAZARDS)
  return Array.isArray(accepted) ? { kind: 'redis', accepted } : { kind: 'other', accepted: [] }
}

function describeKey({ kid, alg, publicKey }: SigningKey, input: unknown): DescribedKey {
  const material = isObject(input) && 'key' in input ? input.key : input
  const iat = isObject(material) ? material.iat : undefined
  const { asymmetricKeyDetails: { modulusLength } = {} } = publicKey
  return { kid, alg, bits: modulusLength, createdAt: typeof iat === 'number' ? iat : undefined }
}

function describeClients(
  options: ProvisioningOptions,
  { deployment, listed }: Config,
): readonly DescribedClient[] {
  const { clients, policy: outer = {} } = options
  const given: readonly unknown[] = Array.isArray(clients) ? clients : []
  const completed = (client: Pick<Client, 'clientId' | 'policy' | 'metadata'>): DescribedClient['policy'] => {
    const { accessTokenScopes: _, clientScopes: __, ...policy } = deployment.policyOf(client as Client)
    return { ...policy, scopes: [...policy.scopes] }
  }
  const bounds = {
    path: 'policy',
    clientId: undefined,
    authenticationMethods: [],
    secret: 'none' as const,
    secretExpiresAt: undefined,
    sameSecretAs: undefined,
    namesScopes: true,
    inherited: [],
    policy: completed({ clientId: 'any', policy: {} }),
  }
  if (!Array.isArray(clients)) return [bounds]
  return listed.map(({ path, client }, index) => ({
    path: `${path}.policy`,
    clientId: client.clientId,
    authenticationMethods: client.authenticationMethods,
    secret: secretKind(given[index]),
    secretExpiresAt: client.secretExpiresAt,
    sameSecretAs: sameSecretAs(given, index),
    namesScopes: client.policy?.scopes !== undefined,
    inherited: membersOf(outer).filter((name) => !membersOf(client.policy).includes(name)),
    policy: completed(client),
  }))
}

function membersOf(policy: PolicyOptions = {}): string[] {
  return Object.entries(policy).flatMap(([name, value]) => (value === undefined ? [] : [name]))
}

function secretKind(client: unknown): DescribedClient['secret'] {
  if (!isObject(client)) return 'none'
  if (client.clientSecret !== undefined) return 'plain'
  return client.secretHash === undefined ? 'none' : 'hash'
}

/** The id of an earlier client with the same secret or hash. Two hashes of one secret differ, so only a copy is found. */
function sameSecretAs(clients: readonly unknown[], index: number): string | undefined {
  const secretOf = (one: unknown) => (isObject(one) ? (one.clientSecret ?? one.secretHash) : undefined)
  const secret = secretOf(clients[index])
  const first = clients.slice(0, index).find((one) => secret !== undefined && secretOf(one) === secret)
  return isObject(first) ? String(first.clientId) : undefined
}
