import type { ErrorCode, Reason } from '../base/errors.js'
import type { Confirmation } from './key-record.js'
import type { FamilyEnd, RedemptionAction } from './redemption.js'

/** The routes that can refuse a request; `resource` is a route of the host. */
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

/**
 * How urgent an event is: `high` means that somebody should look at it now.
 *
 * @example
 * const paged: readonly Severity[] = ['high']
 */
export type Severity = 'info' | 'notice' | 'warning' | 'high'

interface KeyIdentity {
  /** The key's `jti`. */
  readonly keyId: string
  /** The client that asked for the key. */
  readonly clientId: string
}

/** The details of each event. Identifiers and reasons only: never a key, a secret or a part of one. */
export interface EventDetails {
  'key.issued': KeyIdentity & {
    readonly subject: string
    readonly scope: readonly string[]
    readonly audience: string
    /** NumericDate. */
    readonly expiresAt: number
    /** The binding of the key, if it has one. */
    readonly confirmation?: Confirmation
  }
  /** A guard let a request with a key pass. */
  'key.verified': KeyIdentity & { readonly subject: string; readonly address: string | undefined }
  'key.redeemed': KeyIdentity & {
    readonly subject: string
    readonly action: RedemptionAction
    readonly redemptionId: string
  }
  /** The owner of a redeemed key repeated the request, and got the same answer. */
  'redemption.repeated': KeyIdentity & {
    readonly action: RedemptionAction
    readonly address: string | undefined
  }
  /** The action failed. The key is valid again. */
  'key.released': KeyIdentity & { readonly action: RedemptionAction }
  /** A bearer key was refused because another request is redeeming it. It was first reserved over five seconds ago. */
  'redemption.stalled': KeyIdentity & {
    readonly address: string | undefined
    /** How long ago the key was first reserved. */
    readonly reservedSeconds: number
  }
  /** A redeemed key was used again. */
  'key.replayed': KeyIdentity & FamilyEnd & { readonly address: string | undefined }
  /** An operator has revoked the results of a redeemed key. */
  'family.revoked': KeyIdentity & FamilyEnd
  'key.revoked': KeyIdentity
  /** A key has a signature of ours, but was never issued with these claims: a signing key has leaked. */
  'key.forged': KeyIdentity & { readonly address: string | undefined }
  /** All keys, or all keys of one client, that were issued until a given second. */
  'keys.revoked': {
    /** NumericDate. */
    readonly issuedBefore: number
    readonly clientId?: string
  }
  /** A valid key came over cleartext. A bound key is not revoked. */
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
    /** The cause: the client itself, the operator, a binding that replaced it, or a replay of its key. */
    readonly by: 'client' | 'operator' | 'replacement' | 'replay'
  }
  'client.registered': KeyIdentity & { readonly registeredClientId: string }
  'client.updated': {
    readonly clientId: string
    /** Whether the client got a new registration access token, or a new secret. */
    readonly tokenRotated: boolean
    readonly secretRenewed: boolean
  }
  'client.deleted': { readonly clientId: string; readonly by: 'client' | 'operator' | 'replay' }
  /** The key of a registration or a binding was replayed. Policy keeps the result, and the operator decides. */
  'client.flagged': {
    readonly clientId: string
    /** The `jti` of the replayed key. */
    readonly keyId: string
    readonly bindingId?: string
  }
  /** A registration access token was used for another client. */
  'registration.misused': {
    readonly clientId: string
    readonly address: string | undefined
    readonly tokenRevoked: boolean
  }
  /** A registration access token came over cleartext. */
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
  /** A token has a signature of ours, but claims more than the key that it names: a signing key has leaked. */
  'token.forged': KeyIdentity & { readonly tokenId: string }
  /** A valid access token came over cleartext. A bound token is not revoked. */
  'token.exposed': KeyIdentity & {
    readonly tokenId: string
    readonly address: string | undefined
    readonly revoked: boolean
  }
  'signing_key.added': { readonly kid: string }
  'signing_key.rotated': { readonly kid: string; readonly retiredKid: string }
  'signing_key.removed': { readonly kid: string }
  /** The signing keys of a remote issuer could not be fetched. */
  'signing_keys.unavailable': {
    readonly detail: string
    /** Whether keys from an earlier fetch are still in use; if not, every key and token is refused. */
    readonly usable: boolean
  }
  'request.refused': {
    readonly endpoint: EndpointName
    readonly code: ErrorCode
    readonly reason: Reason
    /** The precise reason, in words. */
    readonly detail: string
    readonly status: number
    readonly address: string | undefined
    readonly clientId?: string
    readonly keyId?: string
    readonly tokenId?: string
  }
  /** A setting of the host is missing or risky. */
  'configuration.advised': { readonly advice: string }
}

/**
 * The type of an event.
 *
 * @example
 * const thefts: readonly EventType[] = ['key.replayed', 'key.forged', 'token.forged']
 */
export type EventType = keyof EventDetails

/** The severity of each event. */
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

/**
 * One event of one type: an envelope and what the type adds.
 *
 * @example
 * function report({ keyId, familyRevoked }: EventOf<'key.replayed'>): void {
 *   console.error(`Key ${keyId} was replayed. Its tokens are ${familyRevoked ? 'revoked' : 'expired'}.`)
 * }
 */
export type EventOf<T extends EventType> = EventDetails[T] & {
  readonly type: T
  readonly at: Date
  readonly severity: Severity
}

/**
 * Every event, distinguished by `type`.
 *
 * @example
 * function line({ at, severity, type }: ProvisioningEvent): string {
 *   return `${at.toISOString()} ${severity} ${type}`
 * }
 */
export type ProvisioningEvent = { [T in EventType]: EventOf<T> }[EventType]

/**
 * Receives events. Its errors and rejections are dropped: an observer cannot make a request fail.
 *
 * @example
 * const log: Observer = ({ type, ...details }) => console.log(type, JSON.stringify(details))
 * keys.on('*', log)
 */
export type Observer<E = ProvisioningEvent> = (event: E) => unknown

/** Emits one event to all observers. */
export type Emit = <T extends EventType>(type: T, details: EventDetails[T]) => void
