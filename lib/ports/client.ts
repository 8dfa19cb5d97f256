import type { PublicJwk } from '../jose/jwk.js'
import type { ClientAuthenticationMethod } from './methods.js'
import type { PolicyOptions } from './policy-options.js'
import type { Confirmation, KeyRef } from './store.js'

/** A public key, or a client certificate, tied to a client's identity. */
export interface Binding {
  readonly bindingId: string
  /** What is bound: a key by its `jkt`, or a certificate by its `x5t#S256`. */
  readonly confirmation: Confirmation
  /** The bound public key; absent for a certificate. */
  readonly jwk?: PublicJwk
  /** NumericDate. */
  readonly boundAt: number
  /** The `jti` of the provisioning key that was redeemed for it. */
  readonly keyId: string
  /** The client that asked for that key, where it is another than the one that has the binding. */
  readonly askedBy?: string
  /**
   * The keys that had been redeemed, shortly before, for the bindings of the client that asked for that key. A replay of
   * one of them ends this binding too: a thief must not keep an identity by binding once more.
   */
  readonly lineage?: readonly KeyRef[]
  /** NumericDate since when it is in doubt, its key having been replayed; policy has left it. */
  readonly flaggedAt?: number
}

/** Client metadata as registered (RFC 7591 2), in its wire names. */
export interface ClientMetadata {
  readonly grant_types?: readonly string[]
  /** The public keys with which it signs (RFC 7517 5). */
  readonly jwks?: { readonly keys: readonly PublicJwk[] }
  /** Whether what is issued to it must be bound to its certificate (RFC 8705 3.4). */
  readonly tls_client_certificate_bound_access_tokens?: boolean
  readonly [member: string]: unknown
}

/** What is kept of a registration access token (RFC 7592 1.2). */
export interface RegistrationToken {
  /** What `hashSecret` made of it. */
  readonly hash: string
  /** NumericDate from which it is refused. */
  readonly expiresAt: number
}

/** How a client that registered itself manages its registration. */
export interface Registration {
  /** NumericDate. */
  readonly issuedAt: number
  /** The most that it may ever ask for: what the key that registered it could leave to it. */
  readonly scopes: readonly string[]
  /** The newest first; without any, the client can manage itself no more. */
  readonly tokens: readonly RegistrationToken[]
  /** NumericDate of the last update that brought it another secret. */
  readonly secretRenewedAt?: number
}

/** A client as a registry keeps it: plain JSON, so that it survives any database. No secret is in it but hashed. */
export interface Client {
  readonly clientId: string
  /** Counts the times this client was saved, from 1; see `ClientRegistry.save`. */
  readonly revision: number
  /** What `hashSecret` made of the client's secret. */
  readonly secretHash?: string
  /** NumericDate after which the secret is refused; absent: never. */
  readonly secretExpiresAt?: number
  /** How the client may authenticate. */
  readonly authenticationMethods: readonly ClientAuthenticationMethod[]
  /** What the client may have; what is absent here comes from the deployment's policy. */
  readonly policy?: PolicyOptions
  readonly bindings?: readonly Binding[]
  /** Those of its methods that it has by its bindings alone, and loses with them. */
  readonly boundMethods?: readonly ClientAuthenticationMethod[]
  readonly metadata?: ClientMetadata
  /** Who registered or bound it, and with which key. */
  readonly registeredBy?: { readonly clientId: string; readonly keyId: string }
  readonly registration?: Registration
  /** NumericDate since when its registration is in doubt, its key having been replayed; policy has left it. */
  readonly flaggedAt?: number
  /** NumericDate since when it is being deleted: it is nobody any more, and waits for what it had to end. */
  readonly deletedAt?: number
}

/** The port behind which clients live. A registry that cannot answer rejects; the caller then refuses with 503. */
export interface ClientRegistry {
  find(clientId: string): Promise<Client | undefined>
  /**
   * Keeps `client` if its `revision` is one above the kept one (1 when there is none), atomically.
   *
   * @returns whether it did; `false` means that someone else was first and nothing has changed
   */
  save(client: Client): Promise<boolean>
  /**
   * Forgets the client, atomically; with a `revision` only if that is the kept one.
   *
   * @returns whether it did; `false` means that there was none, or that someone has changed it since
   */
  delete(clientId: string, revision?: number): Promise<boolean>
}
