import type { TelemetryOptions } from '../monitoring/telemetry.js'
import type { IssueAccessToken } from '../ports/access-token-identity.js'
import type { ClientRegistry } from '../ports/client.js'
import type { Observer } from '../ports/events.js'
import type { PolicyOptions } from '../ports/policy-options.js'
import type { ProvisioningStore } from '../ports/store.js'
import type { AuditOptions } from './audit.js'
import type { ClientOptions } from './client.js'
import type { ClientLookup } from './clients.js'
import type { DpopOptions } from './dpop.js'
import type { MonitoringOptions } from './monitoring.js'
import type { MtlsOptions } from './mtls.js'
import type { RateLimitOptions } from './rate-limits.js'
import type { RegistrationOptions } from './registration.js'
import type { SigningKeyInput } from './signing-keys.js'

/**
 * The page of your documentation that explains refusals.
 *
 * @example
 * const docs: DocsOptions = { url: 'https://docs.example.com/errors' }
 */
export interface DocsOptions {
  /**
   * An http or https URL without a fragment. Refusals link to it in `error_uri` (RFC 6749 5.2): to `#<error code>`, or
   * to `#<reason>` where the reason is disclosed. Warnings and errors at start link to it too.
   * @example 'https://docs.example.com/errors'
   */
  readonly url: string
}

/**
 * The options of `provisioningKeys()`. It validates them together, and reports all faults in one `ConfigurationError`.
 *
 * @example
 * const { SIGNING_KEY = '', RUNNER_SECRET_HASH = '' } = process.env
 * const options: ProvisioningOptions = {
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://api.example.com',
 *   signingKeys: SIGNING_KEY,
 *   clients: [{ clientId: 'ci-runner', secretHash: RUNNER_SECRET_HASH, policy: { scopes: ['devices:create'] } }],
 * }
 */
export interface ProvisioningOptions {
  /**
   * The issuer identifier: an https URL without query or fragment (RFC 8414 2). Clients must write it exactly like
   * this.
   * @example 'https://auth.example.com'
   */
  readonly issuer: string
  /**
   * The audience or audiences of keys: absolute URIs (RFC 8707). The first is the default of a request.
   * @example ['https://api.example.com', 'https://files.example.com']
   */
  readonly audience: string | readonly string[]
  /**
   * The first key signs. All keys verify.
   * @example [process.env.SIGNING_KEY ?? '', process.env.PREVIOUS_SIGNING_KEY ?? '']
   */
  readonly signingKeys: SigningKeyInput | readonly SigningKeyInput[]
  /**
   * The clients that may ask for keys: a list, a function that looks one up, or a registry.
   * @example [{ clientId: 'ci-runner', clientSecret: process.env.RUNNER_SECRET ?? '' }]
   */
  readonly clients: readonly ClientOptions[] | ClientLookup | ClientRegistry
  /**
   * The bounds for all clients. The policy of a client can only narrow them. Default `{}`.
   * @example { scopes: ['devices:create', 'devices:read'], maxLifetimeSeconds: 600 }
   */
  readonly policy?: PolicyOptions
  /**
   * Gets the access token for a redeemed key from your own authorization server, within 10 seconds. Default: the library
   * issues the access token itself, and `requireAccessToken()` accepts it.
   * @example async ({ subject, scope }) => ({ accessToken: await tokens.issue(subject, scope), expiresIn: 600 })
   */
  readonly issueAccessToken?: IssueAccessToken
  /**
   * Stores the state of keys. Default `memoryStore()`, for a single process. It forgets all keys when the process ends,
   * and it is refused in a worker of `node:cluster`.
   * @example redisStore({ sendCommand: (command) => redis.sendCommand(command) })
   */
  readonly store?: ProvisioningStore
  /**
   * The path of the endpoints, at the origin of the issuer. Default `/oauth`.
   * @example '/auth'
   */
  readonly mountPath?: string
  /**
   * Limits per endpoint. `false` removes all limits. Default: 300 requests a minute per address, and per client.
   * @example { token: { limit: 60 }, introspect: false }
   */
  readonly rateLimit?: false | RateLimitOptions
  /**
   * How DPoP proofs are validated. Default: proofs of up to 60 seconds are accepted, without a nonce.
   * @example { proofAgeSeconds: 30 }
   */
  readonly dpop?: DpopOptions
  /**
   * How client certificates are read and announced. Default: those of direct connections are read, and not announced.
   * @example { proxies: ['10.1.0.0/16'] }
   */
  readonly mtls?: MtlsOptions
  /**
   * How clients register, and how they manage their registration (RFC 7591, RFC 7592). Default `{}`.
   * @example { rotateAccessToken: true }
   */
  readonly registration?: RegistrationOptions
  /**
   * Adds the endpoint `preflight`, where a client lets the server check one of its own keys without redeeming it. Only for
   * test systems. Default `false`.
   * @example process.env.DEPLOYMENT === 'staging'
   */
  readonly staging?: boolean
  /**
   * The `realm` of challenges (RFC 9110 11.5). Default: the host of the issuer.
   * @example 'devices'
   */
  readonly realm?: string
  /**
   * The name of this deployment, such as `staging`. Keys of other deployments are refused. Default: no name.
   * @example 'staging'
   */
  readonly environment?: string
  /**
   * The greatest accepted difference between clocks, in seconds, in both directions. Default 5, at most 60.
   * @example 10
   */
  readonly clockToleranceSeconds?: number
  /**
   * How long a key stays reserved for a redemption whose process crashed, in seconds. After that, only the owner of a
   * bound key can try again. Choose a time that no handler behind `redeemProvisioningKey()` exceeds. Default 30, at most
   * 900.
   * @example 120
   */
  readonly redemptionLeaseSeconds?: number
  /**
   * Receives every event, like `keys.on('*', observer)`. Default: none.
   * @example ({ type, ...details }) => console.log(type, JSON.stringify(details))
   */
  readonly observer?: Observer
  /**
   * Where the audit log goes, and whether keys are issued and redeemed without it. Default: none.
   * @example { sink: (event) => appendFile('/var/log/keys/audit.log', `${JSON.stringify(event)}\n`), failClosed: true }
   */
  readonly audit?: AuditOptions
  /**
   * Where metrics and traces go. Default: the library measures and traces nothing.
   * @example { meterProvider: (await import('@opentelemetry/api')).metrics }
   */
  readonly telemetry?: TelemetryOptions
  /**
   * The rules that find misuse, and the responses to it. `false` switches them off. Default: all rules report.
   * @example { exempt: { networks: ['10.0.0.0/8'] } }
   */
  readonly monitoring?: false | MonitoringOptions
  /**
   * The clock: returns milliseconds since the epoch. Default `Date.now`.
   * @example () => performance.timeOrigin + performance.now()
   */
  readonly now?: () => number
  /**
   * The page of your documentation that explains refusals. Default: refusals link to no page.
   * @example { url: 'https://docs.example.com/errors' }
   */
  readonly docs?: DocsOptions
}
