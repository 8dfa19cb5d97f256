import type { KeyObject } from 'node:crypto'
import { describe, describeSecret, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { importPublicJwk, thumbprint } from '../jose/jwk.js'
import type { RegistrationPolicy, RegistrationRules, StatementKey } from '../ports/rules.js'
import { type KeyMaterial, readPublicKey } from './signing-keys.js'

/** How clients register, and manage their registration (RFC 7591, RFC 7592). */
export interface RegistrationOptions {
  /**
   * How long a registration access token is good, in seconds; each update of the client begins that anew. Default
   * 2,592,000 (30 days).
   */
  readonly accessTokenLifetimeSeconds?: number
  /** Whether each update of a client brings it another registration access token. Default `false`. */
  readonly rotateAccessToken?: boolean
  /**
   * How long a registration access token that was replaced goes on working, in seconds, so that the answer with the new
   * one may be lost. Default 60, at most 3600.
   */
  readonly overlapSeconds?: number
  /** How long a client secret is good, in seconds. Default 0: for ever. */
  readonly clientSecretLifetimeSeconds?: number
  /** Whose software statements are trusted (RFC 7591 2.3). Default: nobody's. */
  readonly softwareStatements?: readonly SoftwareStatementIssuer[]
  /** The registration policies that `policy.registrationPolicies` can name. */
  readonly policies?: Readonly<Record<string, RegistrationPolicy>>
}

/** An issuer of software statements, with its public keys: either `key` or `jwks`. */
export interface SoftwareStatementIssuer {
  /** The `iss` of its statements. */
  readonly issuer: string
  /** Its public key as PEM, JWK or `KeyObject`. */
  readonly key?: KeyMaterial
  /** Its public keys as a JWK Set. */
  readonly jwks?: { readonly keys: readonly object[] }
}

const NAMES: readonly (keyof RegistrationOptions)[] = [
  'accessTokenLifetimeSeconds',
  'rotateAccessToken',
  'overlapSeconds',
  'clientSecretLifetimeSeconds',
  'softwareStatements',
  'policies',
]

const TEN_YEARS = 315_360_000

/** What each number is, where it is not said otherwise, and within what it has to be. */
const SECONDS = {
  accessTokenLifetimeSeconds: { least: 60, most: TEN_YEARS, otherwise: 2_592_000 },
  overlapSeconds: { least: 0, most: 3600, otherwise: 60 },
  clientSecretLifetimeSeconds: { least: 0, most: TEN_YEARS, otherwise: 0 },
} as const

/** Reads `registration`. */
export function readRegistration(value: unknown, noted: Faults): RegistrationRules {
  if (value !== undefined && !isObject(value)) noted.add('registration', 'an object', describe(value))
  const given: Record<string, unknown> = isObject(value) ? value : {}
  noted.addUnknownNames('registration', given, NAMES)
  const { rotateAccessToken = false } = given
  if (typeof rotateAccessToken !== 'boolean')
    noted.add('registration.rotateAccessToken', 'true or false', describe(rotateAccessToken))
  const seconds = (name: keyof typeof SECONDS) => readSeconds(name, given[name], noted)
  return Object.freeze({
    accessTokenLifetimeSeconds: seconds('accessTokenLifetimeSeconds'),
    rotateAccessToken: rotateAccessToken === true,
    overlapSeconds: seconds('overlapSeconds'),
    clientSecretLifetimeSeconds: seconds('clientSecretLifetimeSeconds'),
    softwareStatements: readIssuers(given.softwareStatements, noted),
    policies: readPolicies(given.policies, noted),
  })
}

function readSeconds(name: keyof typeof SECONDS, value: unknown, noted: Faults): number {
  const { least, most, otherwise } = SECONDS[name]
  if (value === undefined) return otherwise
  const fits = Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most
  if (!fits)
    noted.add(`registration.${name}`, `a whole number from ${least} to ${most} seconds`, describe(value))
  return Number(value)
}

function readPolicies(value: unknown, noted: Faults): ReadonlyMap<string, RegistrationPolicy> {
  if (value !== undefined && !isObject(value))
    noted.add('registration.policies', 'an object of functions', describe(value))
  const entries = Object.entries(isObject(value) ? value : {})
  for (const [name, policy] of entries) {
    if (typeof policy !== 'function')
      noted.add(join('registration.policies', name), 'a function', describe(policy))
  }
  return new Map(entries as [string, RegistrationPolicy][])
}

function readIssuers(value: unknown, noted: Faults): ReadonlyMap<string, readonly StatementKey[]> {
  const path = 'registration.softwareStatements'
  if (value !== undefined && !Array.isArray(value))
    noted.add(path, 'a list of issuers with their keys', describe(value))
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  const issuers = new Map<string, readonly StatementKey[]>()
  for (const [index, entry] of list.entries()) {
    const at = `${path}[${index}]`
    const given: Record<string, unknown> = isObject(entry) ? entry : {}
    if (!isObject(entry)) noted.add(at, 'an object with issuer, and key or jwks', describe(entry))
    noted.addUnknownNames(at, given, ['issuer', 'key', 'jwks'])
    const { issuer } = given
    if (typeof issuer !== 'string' || issuer === '' || issuers.has(issuer))
      noted.add(`${at}.issuer`, 'the iss of its statements, once', describe(issuer))
    issuers.set(String(issuer), readIssuerKeys(at, given, noted))
  }
  return issuers
}

function readIssuerKeys(
  path: string,
  given: Record<string, unknown>,
  noted: Faults,
): readonly StatementKey[] {
  const { key, jwks } = given
  if ((key === undefined) === (jwks === undefined)) {
    noted.add(path, 'either key or jwks', key === undefined ? 'neither' : 'both')
    return []
  }
  if (key !== undefined) {
    const read = readPublicKey(key)
    if (read === undefined) noted.add(`${path}.key`, PUBLIC_KEY, describeSecret(key))
    return read === undefined ? [] : [named(key, read)]
  }
  const keys = isObject(jwks) && Array.isArray(jwks.keys) ? jwks.keys : []
  if (keys.length === 0) noted.add(`${path}.jwks`, 'a JWK Set with public keys', describeSecret(jwks))
  return keys.flatMap((jwk: unknown, index) => {
    const read = importPublicJwk(jwk)
    if (typeof read !== 'string') return [named(jwk, read)]
    noted.add(`${path}.jwks.keys[${index}]`, 'a public key', `one that is refused: ${read}`)
    return []
  })
}

const PUBLIC_KEY = 'a public key as PEM, JWK or KeyObject, which signs with an algorithm that is known here'

function named(material: unknown, key: KeyObject): StatementKey {
  const kid = isObject(material) && typeof material.kid === 'string' ? material.kid : thumbprint(key)
  return { kid, key }
}

/** What a configuration says of registration in policies, as far as it is known before a client comes. */
export function judgeRegistration(
  given: { readonly policy?: unknown; readonly clients?: unknown },
  rules: RegistrationRules,
  noted: Faults,
): void {
  const listed: readonly unknown[] = Array.isArray(given.clients) ? given.clients : []
  const policies = listed.map((client, i) => [
    `clients[${i}].policy`,
    isObject(client) ? client.policy : client,
  ])
  for (const [path, policy] of [['policy', given.policy], ...policies]) {
    if (isObject(policy)) judgePolicyNames(String(path), policy, rules, noted)
  }
}

function judgePolicyNames(
  path: string,
  { registrationPolicies: names, requireSoftwareStatement: isRequired }: Record<string, unknown>,
  { policies, softwareStatements }: RegistrationRules,
  noted: Faults,
): void {
  const unknown = Array.isArray(names) ? names.filter((name) => !policies.has(name)) : []
  for (const name of unknown)
    noted.add(join(path, 'registrationPolicies'), 'names of registration.policies', describe(name))
  if (isRequired === true && softwareStatements.size === 0)
    noted.add(
      join(path, 'requireSoftwareStatement'),
      'registration.softwareStatements to trust somebody',
      'true',
    )
}
