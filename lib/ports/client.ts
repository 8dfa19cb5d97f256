import type { JwkSet, PublicJwk } from '../jose/jwk.js'
import type { Confirmation, KeyRef } from './key-record.js'
import type { ClientAuthenticationMethod } from './methods.js'
import type { PolicyOptions } from './policy-options.js'

/**
 * A public key, or a client certificate, tied to a client's identity.
 *
 * @example
 * const bindings: readonly Binding[] = await keys.listBindings('lamp-7')
 * const flagged = bindings.filter(({ flaggedAt }) => flaggedAt !== undefined)
 */
export interface Binding {
  readonly bindingId: string
  /** The thumbprint: the `jkt` of a key, or the `x5t#S256` of a certificate. */
  readonly confirmation: Confirmation
  /** The bound public key; absent for a certificate. */
  readonly jwk?: PublicJwk
  /** NumericDate. */
  readonly boundAt: number
  /** The `jti` of the provisioning key that was redeemed for the binding. */
  readonly keyId: string
  /** The client that asked for that key, if it is not the client of the binding. */
  readonly askedBy?: string
  /**
   * The keys behind the recent bindings of the client that asked for that key. A replay of one of them ends this one
   * too: a thief must not keep an identity by binding once more.
   */
  readonly lineage?: readonly KeyRef[]
  /** NumericDate of a replay of its key, after which policy kept the binding. */
  readonly flaggedAt?: number
  /** NumericDate from which the binding counts as undone, unless the client has used it before; absent: it is confirmed. */
  readonly confirmBy?: number
  /** Whether the bindings before this one end with its first use; see `policy.rebinding`. */
  readonly replaces?: boolean
}

/**
 * Client metadata as registered (RFC 7591 2), in its wire names.
 *
 * @example
 * const metadata: ClientMetadata = { client_name: 'Sensor 7', grant_types: ['client_credentials'] }
 */
export interface ClientMetadata {
  /**
   * The grants that the client may use at the token endpoint. Default: all.
   * @example ['client_credentials']
   */
  readonly grant_types?: readonly string[]
  /**
   * The public keys of its signatures (RFC 7517 5).
   * @example { keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] }
   */
  readonly jwks?: JwkSet
  /**
   * Whether its credentials must be bound to a DPoP key (RFC 9449 5.2).
   * @example true
   */
  readonly dpop_bound_access_tokens?: boolean
  /**
   * Whether its credentials must be bound to its certificate (RFC 8705 3.4).
   * @example true
   */
  readonly tls_client_certificate_bound_access_tokens?: boolean
  readonly [member: string]: unknown
}

/**
 * The stored form of a registration access token (RFC 7592 1.2).
 *
 * @example
 * function isExpired({ expiresAt }: RegistrationToken): boolean {
 *   return Date.now() / 1000 >= expiresAt
 * }
 */
export interface RegistrationToken {
  /** The result of `hashSecret`. */
  readonly hash: string
  /** NumericDate from which the token is refused. */
  readonly expiresAt: number
}

/**
 * How a client that registered itself manages its registration.
 *
 * @example
 * function canManageItself({ tokens }: Registration): boolean {
 *   return tokens.some(({ expiresAt }) => Date.now() / 1000 < expiresAt)
 * }
 */
export interface Registration {
  /** NumericDate. */
  readonly issuedAt: number
  /** The most that the client may ever ask for: the lasting scopes of the key that registered it. */
  readonly scopes: readonly string[]
  /** The newest first. Without any, the client can no longer manage itself. */
  readonly tokens: readonly RegistrationToken[]
  /** NumericDate of the last update that renewed its secret. */
  readonly secretRenewedAt?: number
  /** NumericDate from which the client counts as missing, unless it was used before; absent: it is confirmed. */
  readonly confirmBy?: number
}

/**
 * A client in a registry: plain JSON, so that it survives any database. Secrets are hashed.
 *
 * @example
 * const client: Client = {
 *   clientId: 'fleet',
 *   revision: 1,
 *   secretHash: hashSecret(process.env['FLEET_SECRET'] ?? ''),
 *   authenticationMethods: ['client_secret_basic'],
 * }
 */
export interface Client {
  readonly clientId: string
  /** Counts the times this client was saved, from 1; see `ClientRegistry.save`. */
  readonly revision: number
  /** The hashed form of its secret, as `hashSecret(secret)` returns it: `hmac-sha256:<salt>:<hash>`. */
  readonly secretHash?: string
  /** NumericDate after which the secret is refused; absent: never. */
  readonly secretExpiresAt?: number
  /** How the client may authenticate. */
  readonly authenticationMethods: readonly ClientAuthenticationMethod[]
  /** The permissions of the client. Absent members come from the deployment's policy. */
  readonly policy?: PolicyOptions
  readonly bindings?: readonly Binding[]
  /** The methods that come from its bindings alone, and end with them. */
  readonly boundMethods?: readonly ClientAuthenticationMethod[]
  readonly metadata?: ClientMetadata
  /** The client and the key that registered or bound it. */
  readonly registeredBy?: { readonly clientId: string; readonly keyId: string }
  readonly registration?: Registration
  /** NumericDate of a replay of its key, after which policy kept the registration. */
  readonly flaggedAt?: number
  /** NumericDate of its deletion. It counts as missing since then, and stays until its credentials are revoked. */
  readonly deletedAt?: number
  /**
   * NumericDate at which its unconfirmed registration or binding was undone. It counts as missing since then. The record
   * stays, so that a revision is never used twice.
   */
  readonly undoneAt?: number
}

/** The form of a client id: printable ASCII (RFC 6749 A.1), at most 255 characters. */
export const CLIENT_ID = /^[\x20-\x7e]{1,255}$/

/** The revision with which a client can be saved over the stored one. */
export function nextRevision(stored: Client | undefined): number {
  return (stored?.revision ?? 0) + 1
}

/**
 * The port to the clients. A registry that cannot answer rejects; the caller then refuses with 503. The library waits 10
 * seconds for each call of a registry of your own.
 *
 * `clientRegistryContract()` of `express-provisioning-keys/testing` tests a registry of your own.
 *
 * @example
 * async function enrol(registry: ClientRegistry, client: Omit<Client, 'revision'>): Promise<boolean> {
 *   return registry.save({ ...client, revision: 1 })
 * }
 */
export interface ClientRegistry {
  find(clientId: string): Promise<Client | undefined>
  /**
   * Saves `client` if its `revision` is one above the stored one (1 when there is none), atomically.
   *
   * @returns whether it did; `false` means that another save was first and nothing has changed
   */
  save(client: Client): Promise<boolean>
  /**
   * Deletes the client, atomically; with a `revision` only if that is the stored one.
   *
   * @returns whether it did; `false` means that there was none, or that it has been changed since
   */
  delete(clientId: string, revision?: number): Promise<boolean>
}
