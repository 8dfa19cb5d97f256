import type { KeyObject } from 'node:crypto'
import { deadline } from '../base/deadline.js'
import { describeSecret, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'
import {
  aFunction,
  flag,
  list,
  noteExclusive,
  noteRepeated,
  object,
  type Read,
  type Reader,
  required,
  text,
  whole,
} from '../base/schema.js'
import {
  importPublicJwk,
  isForVerification,
  type Jwk,
  type JwkSet,
  proofAlgorithmsFor,
  thumbprint,
} from '../jose/jwk.js'
import type { PolicyOptions } from '../ports/policy-options.js'
import type { RegistrationPolicy, RegistrationRules, StatementKey } from '../ports/rules.js'
import { type KeyMaterial, readPublicKey } from './signing-keys.js'

/**
 * How clients register, and how they manage their registration (RFC 7591, RFC 7592).
 *
 * @example
 * const registration: RegistrationOptions = { rotateAccessToken: true, clientSecretLifetimeSeconds: 90 * 86_400 }
 */
export interface RegistrationOptions {
  /**
   * How long a registration access token is valid, in seconds. Each update of the client restarts this time. Default
   * 2,592,000 (30 days), at least 60, at most 10 years.
   * @example 7 * 86_400
   */
  readonly accessTokenLifetimeSeconds?: number
  /**
   * Whether each update of a client returns a new registration access token. Default `false`.
   * @example true
   */
  readonly rotateAccessToken?: boolean
  /**
   * How long a replaced registration access token still works, in seconds. In this time, a client that lost the answer
   * with its new token or secret can repeat the request. Default 60, at most 3600.
   * @example 300
   */
  readonly overlapSeconds?: number
  /**
   * How long a client secret is valid, in seconds. Default 0: it does not expire. At most 10 years.
   * @example 90 * 86_400
   */
  readonly clientSecretLifetimeSeconds?: number
  /**
   * The trusted issuers of software statements (RFC 7591 2.3). Default: none.
   * @example [{ issuer: 'https://vendor.example.com', key: process.env.VENDOR_KEY ?? '' }]
   */
  readonly softwareStatements?: readonly SoftwareStatementIssuer[]
  /**
   * Your registration policies, by the names that `policy.registrationPolicies` uses. Default: none.
   * @example { named: ({ metadata }) => (metadata.client_name ? undefined : { refuse: 'Send a client_name.' }) }
   */
  readonly policies?: Readonly<Record<string, RegistrationPolicy>>
}

/**
 * A trusted issuer of software statements (RFC 7591 2.3). Give either `key` or `jwks`.
 *
 * @example
 * const { VENDOR_KEY = '' } = process.env
 * const vendor: SoftwareStatementIssuer = { issuer: 'https://vendor.example.com', key: VENDOR_KEY }
 */
export interface SoftwareStatementIssuer {
  /**
   * The `iss` of its statements.
   * @example 'https://vendor.example.com'
   */
  readonly issuer: string
  /**
   * Its public key as PEM, JWK or `KeyObject`.
   * @example process.env.VENDOR_KEY ?? ''
   */
  readonly key?: KeyMaterial
  /**
   * Its public keys as a JWK Set.
   * @example { keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] }
   */
  readonly jwks?: JwkSet
}

const TEN_YEARS_IN_SECONDS = 315_360_000

const ISSUER = 'the iss of its statements, which no other issuer has'

type Parsed = Read<
  RegistrationOptions,
  {
    softwareStatements: RegistrationRules['softwareStatements']
    policies: RegistrationRules['policies']
  }
>

/** Reads `registration` into complete rules. */
export const readRegistration: Reader<RegistrationRules> = (value, path, faults) =>
  Object.freeze({
    accessTokenLifetimeSeconds: 2_592_000,
    rotateAccessToken: false,
    overlapSeconds: 60,
    clientSecretLifetimeSeconds: 0,
    softwareStatements: new Map(),
    policies: new Map(),
    ...readMembers(value, path, faults),
  })

const readPolicies: Reader<ReadonlyMap<string, RegistrationPolicy>> = (value, path, faults) => {
  if (!isObject(value)) faults.reject(path, 'an object of functions', value)
  const entries = Object.entries(isObject(value) ? value : {})
  return new Map(
    entries.map(([name, given]) => {
      const policy = readFunction(given, join(path, name), faults)
      const inTime = deadline({ who: `The registration policy ${name}` })
      return [name, (proposed) => inTime(() => policy(proposed))]
    }),
  )
}

const readFunction = aFunction<RegistrationPolicy>()

const readIssuers: Reader<ReadonlyMap<string, readonly StatementKey[]>> = (value, path, faults) => {
  const issuers = readIssuerList(value, path, faults) ?? []
  const names = issuers.map(({ issuer }) => issuer)
  noteRepeated(names, (index) => `${path}[${index}].issuer`, ISSUER, faults)
  return new Map(issuers.map(({ issuer, key, jwks = [] }) => [issuer, key === undefined ? jwks : [key]]))
}

const readKey: Reader<StatementKey> = (value, path, faults) => {
  const key = isObject(value) && !isForVerification(value) ? undefined : readPublicKey(value)
  const read = key && named(value, key)
  if (read === undefined) faults.reject(path, PUBLIC_KEY, value, describeSecret)
  return read as StatementKey
}

const readKeySet: Reader<readonly StatementKey[]> = (value, path, faults) => {
  const keys: readonly unknown[] = isObject(value) && Array.isArray(value.keys) ? value.keys : []
  // RFC 7517 4.2: a set can also have keys for encryption.
  const isIgnored = (jwk: unknown) => isObject(jwk) && !isForVerification(jwk)
  if (keys.every(isIgnored))
    faults.reject(path, 'a JWK Set with public keys for signatures', value, describeSecret)
  return keys.flatMap((jwk, index) => {
    if (isIgnored(jwk)) return []
    const read = importPublicJwk(jwk)
    const key = typeof read === 'string' ? read : (named(jwk, read) ?? 'its alg does not fit')
    if (typeof key !== 'string') return [key]
    faults.add(`${path}.keys[${index}]`, 'a public key', `one that is refused: ${key}`)
    return []
  })
}

const readIssuerMembers = object<
  Read<SoftwareStatementIssuer, { key: StatementKey; jwks: readonly StatementKey[] }>
>(
  {
    issuer: required(text(ISSUER, (issuer) => issuer !== '')),
    key: readKey,
    jwks: readKeySet,
  },
  'an object with issuer, and key or jwks',
)

const readIssuer: typeof readIssuerMembers = (value, path, faults) => {
  noteExclusive(value, ['key', 'jwks'], { path, faults })
  return readIssuerMembers(value, path, faults)
}

const readIssuerList = list('a list of issuers with their keys', readIssuer)

const readMembers = object<Parsed>({
  accessTokenLifetimeSeconds: whole(60, TEN_YEARS_IN_SECONDS, ' seconds'),
  rotateAccessToken: flag,
  overlapSeconds: whole(0, 3600, ' seconds'),
  clientSecretLifetimeSeconds: whole(0, TEN_YEARS_IN_SECONDS, ' seconds'),
  softwareStatements: readIssuers,
  policies: readPolicies,
})

const PUBLIC_KEY = 'a public key for signatures as PEM, JWK or KeyObject, of a type and size that is accepted'

/** Without a `kid`, the name of a key is its thumbprint. `undefined`: its `alg` is none that the key can verify. */
function named(material: unknown, key: KeyObject): StatementKey | undefined {
  const { kid, alg }: Jwk = isObject(material) ? material : {}
  if (alg !== undefined && !proofAlgorithmsFor(key).some((one) => one === alg)) return undefined
  return { kid: typeof kid === 'string' ? kid : thumbprint(key), key, ...(alg !== undefined && { alg }) }
}

/** Notes if a policy requires something that `registration` does not have. */
export function validateRegistration(
  path: string,
  { registrationPolicies: names = [], requireSoftwareStatement: isRequired }: PolicyOptions,
  { policies, softwareStatements }: RegistrationRules,
  faults: Faults,
): void {
  for (const name of names.filter((one) => !policies.has(one)))
    faults.reject(join(path, 'registrationPolicies'), 'names of registration.policies', name)
  if (isRequired === true && softwareStatements.size === 0)
    faults.add(
      join(path, 'requireSoftwareStatement'),
      'registration.softwareStatements with trusted issuers',
      'true',
    )
}
