import type { JwkSet } from '../jose/jwk.js'
import type { ProvisioningStore } from '../ports/store.js'
import type { DpopOptions } from './dpop.js'
import type { MtlsOptions } from './mtls.js'
import type { ProvisioningOptions } from './provisioning-options.js'
import type { RateLimitOptions } from './rate-limits.js'
import type { IntrospectionOptions, JwksCacheOptions } from './remote.js'

/**
 * The options of `provisioningKeyVerifier()`, for an API that verifies the keys of another process. Give either `store`
 * or `introspection`. All faults are reported in one `ConfigurationError`.
 *
 * @example
 * const { INVENTORY_SECRET = '' } = process.env
 * const options: VerifierOptions = {
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://inventory.example.com',
 *   jwks: 'https://auth.example.com/oauth/jwks',
 *   introspection: { clientId: 'inventory-api', clientSecret: INVENTORY_SECRET },
 * }
 */
export interface VerifierOptions
  extends Pick<
    ProvisioningOptions,
    | 'realm'
    | 'clockToleranceSeconds'
    | 'redemptionLeaseSeconds'
    | 'observer'
    | 'audit'
    | 'telemetry'
    | 'monitoring'
    | 'now'
    | 'docs'
  > {
  /**
   * The issuer identifier, exactly as in the options of the issuer.
   * @example 'https://auth.example.com'
   */
  readonly issuer: string
  /**
   * The audience or audiences of this API. It refuses keys for other audiences.
   * @example 'https://inventory.example.com'
   */
  readonly audience: string | readonly string[]
  /**
   * The signing keys of the issuer: the https URL of its JWK Set, or the set itself.
   * @example 'https://auth.example.com/oauth/jwks'
   */
  readonly jwks: string | URL | JwkSet
  /**
   * The store of the issuer, if this process can reach it. Default: none, and `introspection` is required.
   * @example redisStore({ sendCommand: (command) => redis.sendCommand(command) })
   */
  readonly store?: ProvisioningStore
  /**
   * How this process asks the issuer for the state of a key. Default: none, and `store` is required.
   * @example { clientId: 'inventory-api', clientSecret: process.env.INVENTORY_SECRET ?? '' }
   */
  readonly introspection?: IntrospectionOptions
  /**
   * How long the fetched signing keys are used. Default: fresh for 10 minutes, usable for an hour.
   * @example { freshSeconds: 300 }
   */
  readonly jwksCache?: JwksCacheOptions
  /**
   * How long a request to the issuer may take, in seconds. Default 5, at most 60.
   * @example 2
   */
  readonly timeoutSeconds?: number
  /**
   * Sends requests to the issuer, for example with your own certificate authority. Default: the global `fetch`.
   * @example (url, init) => fetch(url, { ...init, dispatcher: agent })
   */
  readonly fetch?: typeof globalThis.fetch
  /**
   * The longest accepted lifetime of a key, in seconds. Default 900, at most 3600.
   * @example 600
   */
  readonly maxLifetimeSeconds?: number
  /**
   * The longest accepted lifetime of an access token, in seconds. Default and maximum 3600.
   * @example 900
   */
  readonly maxAccessTokenLifetimeSeconds?: number
  /**
   * Limits of `redeemProvisioningKey()`. `false` removes them. Default: 300 requests a minute per address, and per
   * bound key.
   * @example { redeem: { limit: 60 } }
   */
  readonly rateLimit?: false | Pick<RateLimitOptions, 'redeem' | 'store' | 'timeoutSeconds'>
  /**
   * How DPoP proofs are validated. `nonceSecret` must be that of the issuer. Default: up to 60 seconds old, without a
   * nonce.
   * @example { nonceSecret: process.env.NONCE_SECRET ?? '' }
   */
  readonly dpop?: DpopOptions
  /**
   * How client certificates are read. Default: only those of direct connections.
   * @example { proxies: ['10.1.0.0/16'] }
   */
  readonly mtls?: MtlsOptions
  /**
   * The name of the deployment, as in the options of the issuer. Keys of other deployments are refused. Default: no
   * name.
   * @example 'staging'
   */
  readonly environment?: string
}
