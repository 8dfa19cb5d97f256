/** What a deployment or a client may have. Every list is exact; there are no wildcards and there is no "everything". */
export interface PolicyOptions {
  /** The scopes that may be granted. A client's must be among the deployment's, where that names any. */
  readonly scopes?: readonly string[]
  /** What is granted to a request that names no scope. Must be among `scopes`. Default: such a request is refused. */
  readonly defaultScopes?: readonly string[]
  /** The audiences a key may be for, the default one first. Default: the `audience` of the deployment. */
  readonly audiences?: readonly string[]
  /** Lifetime of a key that asks for none, in seconds. Default 300. */
  readonly lifetimeSeconds?: number
  /** The longest lifetime a key may have, in seconds. Default 900; at most 3600. */
  readonly maxLifetimeSeconds?: number
  /** The networks, in CIDR notation, from which a key may be presented. Default: any. */
  readonly networks?: readonly string[]
  /**
   * The identities besides its own that a client may ask keys for: exact, or a prefix that ends in one of `:/.-_`
   * followed by `*`. `runner:*` allows `runner:` followed by letters, digits, `-`, `.`, `_` and `~` (RFC 3986 2.3), but
   * not by dots alone. Default: none.
   */
  readonly subjects?: readonly string[]
  /**
   * The audiences of which a client may introspect every key and access token, whoever they were issued to: for a
   * resource server that verifies in a process of its own. Good in the policy of one client only, and inherited by
   * nobody. Default: none.
   */
  readonly introspectAudiences?: readonly string[]
  /**
   * What a key must be bound to: `dpop` refuses a request for a key without a proof (RFC 9449), `mtls` one over a
   * connection without a client certificate (RFC 8705). Default `none`: neither is required, but a key asked for
   * with a proof, or for itself by a client that authenticates by its certificate, is bound to that all the same.
   */
  readonly senderConstraint?: SenderConstraint
  /**
   * What binding another key does to an identity that has one: `refuse` it, `replace` all that it has, which stop at
   * once, or `add` it beside them. The client that asked for the provisioning key decides by its policy. Default
   * `refuse`.
   */
  readonly rebinding?: Rebinding
  /** How many bound keys an identity may have where they can be added. Default 2; at most 16. */
  readonly maxBindings?: number
  /**
   * What a replay of a redeemed key does to what it was redeemed for. Access tokens and registration access tokens are
   * revoked in any case. `revoke` deletes the client that the key registered, or takes away what it bound; `flag` leaves
   * them, marked, for the operator to decide. Default `revoke`.
   */
  readonly onReplay?: ReplayContainment
  /**
   * The registration policies, by name, that judge what a key of the client registers, and each later update of that.
   * They add to the deployment's. Default: none.
   */
  readonly registrationPolicies?: readonly string[]
  /** Whether what a key of the client registers must come with a software statement (RFC 7591 2.3). Default `false`. */
  readonly requireSoftwareStatement?: boolean
  /** How many keys of one client may be live and unredeemed at once. Default 1000. */
  readonly outstandingKeys?: number
  /** The scopes an initial access token may carry. Default: those of the key that is exchanged for it. */
  readonly accessTokenScopes?: readonly string[]
  /** Lifetime of an initial access token, in seconds. Default 600; at most 3600. */
  readonly accessTokenLifetimeSeconds?: number
}

export const SENDER_CONSTRAINTS = ['none', 'dpop', 'mtls'] as const
export type SenderConstraint = (typeof SENDER_CONSTRAINTS)[number]

export const REBINDINGS = ['refuse', 'replace', 'add'] as const
export type Rebinding = (typeof REBINDINGS)[number]

export const REPLAY_CONTAINMENTS = ['revoke', 'flag'] as const
export type ReplayContainment = (typeof REPLAY_CONTAINMENTS)[number]

/** How many public keys a client may register. */
export const MOST_KEYS = 8

/** No identity has more bound keys, whatever is configured: each is tried when its client authenticates. */
export const MOST_BINDINGS = 16

/** The policy of one client, complete. */
export interface Policy {
  readonly scopes: ReadonlySet<string>
  readonly defaultScopes: readonly string[]
  readonly audiences: readonly string[]
  readonly lifetimeSeconds: number
  readonly maxLifetimeSeconds: number
  /** `undefined`: from anywhere; empty: from nowhere. */
  readonly networks: readonly string[] | undefined
  readonly subjects: readonly string[]
  readonly introspectAudiences: readonly string[]
  readonly senderConstraint: SenderConstraint
  readonly rebinding: Rebinding
  readonly maxBindings: number
  readonly onReplay: ReplayContainment
  /** Whether the client has registered that what is issued to it be bound to its certificate (RFC 8705 3.4). */
  readonly certificateBound: boolean
  readonly registrationPolicies: readonly string[]
  readonly requireSoftwareStatement: boolean
  readonly outstandingKeys: number
  readonly accessTokenScopes: ReadonlySet<string> | undefined
  readonly accessTokenLifetimeSeconds: number
}

/** Bounds for a policy; the audiences are always known. */
export type PolicyBounds = PolicyOptions & { readonly audiences: readonly string[] }
