import type { Read } from '../base/schema.js'
/**
 * The permissions of a deployment or a client. Every list is exact: there are no wildcards, and no "everything".
 *
 * @example
 * const policy: PolicyOptions = {
 *   scopes: ['provision:register', 'devices:read'],
 *   subjects: ['device:*'],
 *   senderConstraint: 'dpop',
 * }
 */
export interface PolicyOptions {
  /**
   * The scopes that may be granted. A client's must be among the deployment's, if the deployment names any.
   * @example ['provision:register', 'devices:create']
   */
  readonly scopes?: readonly string[]
  /**
   * The scopes for a request that names none. Must be among `scopes`. Default: such a request is refused.
   * @example ['devices:create']
   */
  readonly defaultScopes?: readonly string[]
  /**
   * The audiences a key may be for, the default one first. Default: the `audience` of the deployment.
   * @example ['https://api.example.com']
   */
  readonly audiences?: readonly string[]
  /**
   * Lifetime of a key if the request names none, in seconds. Default 300.
   * @example 120
   */
  readonly lifetimeSeconds?: number
  /**
   * The longest lifetime a key may have, in seconds. Default 900; at most 3600.
   * @example 600
   */
  readonly maxLifetimeSeconds?: number
  /**
   * The networks, in CIDR notation, from which a key may be presented. Default: any.
   * @example ['10.20.0.0/16', '2001:db8:20::/48']
   */
  readonly networks?: readonly string[]
  /**
   * The identities besides its own that a client may ask keys for: exact, or a prefix that ends in one of `:/.-_`
   * followed by `*`. `runner:*` allows `runner:` followed by letters, digits, `-`, `.`, `_` and `~` (RFC 3986 2.3), but
   * not by dots alone. Default: none.
   * @example ['device:*', 'gateway-1']
   */
  readonly subjects?: readonly string[]
  /**
   * The audiences whose keys and access tokens a client may introspect, even if they were issued to other clients. A
   * resource server that verifies in its own process needs this. Allowed only in the policy of a single client, and
   * never inherited. Default: none.
   * @example ['https://inventory.example.com']
   */
  readonly introspectAudiences?: readonly string[]
  /**
   * The binding that a key must have. `dpop` refuses a request for a key without a proof (RFC 9449). `mtls` refuses one
   * over a connection without a client certificate (RFC 8705). Default `none`: neither is required. But a key is always
   * bound to the proof of its request, and to the certificate of a client that authenticates by it and asks for itself.
   * @example 'dpop'
   */
  readonly senderConstraint?: SenderConstraint
  /**
   * The effect of binding another key to an identity that has one: `refuse` it, `replace` all existing ones, which stop
   * working immediately, or `add` it beside them. The policy of the client that asked for the provisioning key decides.
   * Default `refuse`.
   * @example 'replace'
   */
  readonly rebinding?: Rebinding
  /**
   * How many bound keys an identity may have, if they can be added. Default 2; at most 16.
   * @example 3
   */
  readonly maxBindings?: number
  /**
   * How long a new registration or binding waits for its first use, in seconds from 10 to 86,400. Without a use in this
   * time it is undone, as if the key had never been redeemed. The policy of the client that asked for the provisioning
   * key decides. Default: no limit.
   * @example 600
   */
  readonly confirmWithinSeconds?: number
  /**
   * The effect of a replay of a redeemed key. Access tokens and registration access tokens are always revoked. `revoke`
   * also deletes the client that the key registered, or removes its binding. `flag` marks these, and the operator
   * decides. Default `revoke`.
   * @example 'flag'
   */
  readonly onReplay?: ReplayContainment
  /**
   * The names of the registration policies that validate each registration by a key of the client, and its updates.
   * They add to the deployment's. Default: none.
   * @example ['named']
   */
  readonly registrationPolicies?: readonly string[]
  /**
   * Whether a registration by a key of the client requires a software statement (RFC 7591 2.3). Default `false`.
   * @example true
   */
  readonly requireSoftwareStatement?: boolean
  /**
   * How many live, unredeemed keys one client may have. Default 1000.
   * @example 50
   */
  readonly outstandingKeys?: number
  /**
   * The scopes an initial access token may carry. It never has `provision:*` scopes. Default: the other scopes of the
   * key that is exchanged for it.
   * @example ['devices:read']
   */
  readonly accessTokenScopes?: readonly string[]
  /**
   * The scopes of a client that is registered or bound with a key of this client. They must be among `scopes`, and not
   * `provision:register`. Default: the scopes of the key without `provision:register`.
   * @example ['provision:token', 'devices:read']
   */
  readonly clientScopes?: readonly string[]
  /**
   * Lifetime of an initial access token, in seconds. Default 600; at most 3600.
   * @example 300
   */
  readonly accessTokenLifetimeSeconds?: number
}

export const SENDER_CONSTRAINTS = ['none', 'dpop', 'mtls'] as const

/**
 * The binding that a policy requires of a key: see `PolicyOptions.senderConstraint`.
 *
 * @example
 * const senderConstraint: SenderConstraint = process.env['REQUIRE_MTLS'] === '1' ? 'mtls' : 'dpop'
 */
export type SenderConstraint = (typeof SENDER_CONSTRAINTS)[number]

export const REBINDINGS = ['refuse', 'replace', 'add'] as const

/**
 * The effect of binding another key to an identity that has one: see `PolicyOptions.rebinding`.
 *
 * @example
 * const rebinding: Rebinding = 'replace'
 */
export type Rebinding = (typeof REBINDINGS)[number]

export const REPLAY_CONTAINMENTS = ['revoke', 'flag'] as const

/**
 * The effect of a replay on what the key registered or bound: see `PolicyOptions.onReplay`.
 *
 * @example
 * const onReplay: ReplayContainment = 'flag'
 */
export type ReplayContainment = (typeof REPLAY_CONTAINMENTS)[number]

/** How many public keys a client may register. */
export const MOST_KEYS = 8

/** The most bound keys of an identity, in any configuration: each is tried when its client authenticates. */
export const MOST_BINDINGS = 16

/** The policy of one client, complete. */
export type Policy = Read<
  Required<PolicyOptions>,
  {
    scopes: ReadonlySet<string>
    /** `undefined`: any address; empty: no address. */
    networks: readonly string[] | undefined
    /** `undefined`: a registration or binding needs no confirmation. */
    confirmWithinSeconds: number | undefined
    accessTokenScopes: ReadonlySet<string> | undefined
    clientScopes: ReadonlySet<string> | undefined
  }
> & {
  /** The constraints that the client has registered for itself (RFC 9449 5.2, RFC 8705 3.4). They add to the policy. */
  readonly registeredConstraints: readonly Exclude<SenderConstraint, 'none'>[]
}

/** Bounds for a policy; the audiences are always known. */
export type PolicyBounds = PolicyOptions & { readonly audiences: readonly string[] }
