import type { ErrorCode, Reason } from '../base/errors.js'
import type { Confirmation } from './store.js'

/** The routes at which a request can be refused; `resource` is a route of the host's own. */
export type EndpointName =
  | 'token'
  | 'bind'
  | 'bindings'
  | 'revoke_binding'
  | 'register'
  | 'registration'
  | 'introspect'
  | 'revoke'
  | 'jwks'
  | 'authorization_server_metadata'
  | 'protected_resource_metadata'
  | 'resource'
  | 'redeem'

/** What a redeemed key was spent on. `custom`: a route behind `redeemProvisioningKey()`. */
export type RedemptionAction = 'token' | 'bind' | 'register' | 'route'

/**
 * What became of a registration or a binding that a key had been redeemed for. `gone`: there was nothing of it any more;
 * `unreached`: the store or the client registry did not answer, or this process has no registry, and it is there still.
 */
export type FamilyFate = 'revoked' | 'flagged' | 'gone' | 'unreached'

/** What the end of a family came to. */
export interface FamilyEnd {
  /** Whether access tokens of the family were good until then. */
  readonly familyRevoked: boolean
  /**
   * What became of what the redemption had brought into the client registry, if it had: the client that it brought forth
   * or changed, unless not even that could be found out.
   */
  readonly family?: { readonly clientId?: string; readonly fate: FamilyFate }
}

export type Severity = 'info' | 'notice' | 'warning' | 'high'

interface KeyIdentity {
  /** The key's `jti`. */
  readonly keyId: string
  /** The client that asked for the key. */
  readonly clientId: string
}

/** What each event says beyond its envelope. Identifiers and reasons only: never a key, a secret or a part of one. */
export interface EventDetails {
  'key.issued': KeyIdentity & {
    readonly subject: string
    readonly scope: readonly string[]
    readonly audience: string
    /** NumericDate. */
    readonly expiresAt: number
    /** What the key is bound to, when it is. */
    readonly confirmation?: Confirmation
  }
  'key.verified': KeyIdentity & { readonly subject: string; readonly address: string | undefined }
  'key.redeemed': KeyIdentity & {
    readonly subject: string
    readonly action: RedemptionAction
    readonly redemptionId: string
  }
  /** The holder of a redeemed key asked for the same again, and got the same answer. */
  'redemption.repeated': KeyIdentity & {
    readonly action: RedemptionAction
    readonly address: string | undefined
  }
  'key.released': KeyIdentity & { readonly action: RedemptionAction }
  /** A bearer key was refused because another request is redeeming it, over five seconds after its first reservation. */
  'redemption.stalled': KeyIdentity & {
    readonly address: string | undefined
    /** How long ago the key was first reserved. */
    readonly reservedSeconds: number
  }
  'key.replayed': KeyIdentity & FamilyEnd & { readonly address: string | undefined }
  /** An operator has revoked what a redeemed key brought forth. */
  'family.revoked': KeyIdentity & FamilyEnd
  'key.revoked': KeyIdentity
  /** A key that is signed with one of our keys, but was never issued like that: a signing key is in wrong hands. */
  'key.forged': KeyIdentity & { readonly address: string | undefined }
  /** All keys, or all those of one client, that were issued up to a second. */
  'keys.revoked': {
    /** NumericDate. */
    readonly issuedBefore: number
    readonly clientId?: string
  }
  'key.exposed': KeyIdentity & { readonly address: string | undefined; readonly revoked: boolean }
  'client.bound': KeyIdentity & {
    readonly subject: string
    readonly bindingId: string
    readonly confirmation: Confirmation
  }
  'client.unbound': {
    /** The client that had the key. */
    readonly clientId: string
    /** The `jti` of the provisioning key that had been redeemed for the binding. */
    readonly keyId: string
    readonly bindingId: string
    readonly confirmation: Confirmation
    /** Who took it away: the client itself, the operator, a binding that replaced it, or a replay of its key. */
    readonly by: 'client' | 'operator' | 'replacement' | 'replay'
  }
  'client.registered': KeyIdentity & { readonly registeredClientId: string }
  'client.updated': {
    readonly clientId: string
    /** Whether it was handed another registration access token, or another secret. */
    readonly tokenRotated: boolean
    readonly secretRenewed: boolean
  }
  'client.deleted': { readonly clientId: string; readonly by: 'client' | 'operator' | 'replay' }
  /** The key that brought forth a registration or a binding was replayed; policy leaves it, and the operator decides. */
  'client.flagged': {
    readonly clientId: string
    /** The `jti` of the replayed key. */
    readonly keyId: string
    readonly bindingId?: string
  }
  'registration.misused': {
    readonly clientId: string
    readonly address: string | undefined
    readonly tokenRevoked: boolean
  }
  'registration.exposed': {
    readonly clientId: string
    readonly address: string | undefined
    readonly tokenRevoked: boolean
  }
  'token.issued': KeyIdentity & {
    readonly subject: string
    /** The token's `jti`; absent where the host's own authorization server issued it. */
    readonly tokenId?: string
    readonly scope: readonly string[]
  }
  'token.verified': KeyIdentity & {
    readonly subject: string
    readonly tokenId: string
    readonly address: string | undefined
  }
  'token.revoked': KeyIdentity
  /** A token that is signed with one of our keys, and says more than the key it names: a signing key is in wrong hands. */
  'token.forged': KeyIdentity & { readonly tokenId: string }
  'token.exposed': KeyIdentity & {
    readonly tokenId: string
    readonly address: string | undefined
    readonly revoked: boolean
  }
  'signing_key.added': { readonly kid: string }
  'signing_key.rotated': { readonly kid: string; readonly retiredKid: string }
  'signing_key.removed': { readonly kid: string }
  /** The signing keys of an issuer elsewhere could not be fetched. */
  'signing_keys.unavailable': {
    readonly detail: string
    /** Whether those that were fetched before are used meanwhile; if not, whatever is presented is refused. */
    readonly usable: boolean
  }
  'request.refused': {
    readonly endpoint: EndpointName
    readonly code: ErrorCode
    readonly reason: Reason
    /** The precise reason in words. */
    readonly detail: string
    readonly status: number
    readonly address: string | undefined
    readonly clientId?: string
    readonly keyId?: string
    readonly tokenId?: string
  }
  'configuration.advised': { readonly advice: string }
}

export type EventType = keyof EventDetails

/** How much each event should trouble who observes. */
export const SEVERITY: Record<EventType, Severity> = {
  'key.issued': 'info',
  'key.verified': 'info',
  'key.redeemed': 'info',
  'key.released': 'notice',
  'redemption.repeated': 'notice',
  'redemption.stalled': 'high',
  'key.replayed': 'high',
  'family.revoked': 'notice',
  'key.revoked': 'notice',
  'key.forged': 'high',
  'keys.revoked': 'high',
  'key.exposed': 'high',
  'client.bound': 'notice',
  'client.unbound': 'notice',
  'client.registered': 'notice',
  'client.updated': 'notice',
  'client.deleted': 'notice',
  'client.flagged': 'high',
  'registration.misused': 'high',
  'registration.exposed': 'high',
  'token.issued': 'info',
  'token.verified': 'info',
  'token.revoked': 'notice',
  'token.forged': 'high',
  'token.exposed': 'high',
  'signing_key.added': 'notice',
  'signing_key.rotated': 'notice',
  'signing_key.removed': 'high',
  'signing_keys.unavailable': 'warning',
  'request.refused': 'warning',
  'configuration.advised': 'warning',
}

/** One event of one type: an envelope and what the type adds. */
export type EventOf<T extends EventType> = EventDetails[T] & {
  readonly type: T
  readonly at: Date
  readonly severity: Severity
}

/** Every event there is, told apart by `type`. */
export type ProvisioningEvent = { [T in EventType]: EventOf<T> }[EventType]

/** Is told of events. What it throws or rejects with is dropped: an observer can fail no request. */
export type Observer<E = ProvisioningEvent> = (event: E) => unknown

/** Emits one event to all who observe. */
export type Emit = <T extends EventType>(type: T, details: EventDetails[T]) => void
