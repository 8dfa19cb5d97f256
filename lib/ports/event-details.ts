import type { ErrorCode, Reason } from '../base/errors.js'
import type { Confirmation } from './key-record.js'
import type { Finding, Lock } from './monitoring-store.js'
import type { BindingIdentity, FamilyEnd, RedemptionAction, RegistrationIdentity } from './redemption.js'

/** What an operator has done in the administration. */
export interface AdministrationAct {
  readonly action:
    | 'revoke_key'
    | 'revoke_all_keys'
    | 'revoke_family'
    | 'revoke_binding'
    | 'lock_client'
    | 'unlock_client'
    | 'delete_client'
    | 'close_finding'
  /** The operator, as `authorize` names it. */
  readonly author: string
  /** The answer of the operation, or `failed` if there was none. */
  readonly outcome: string
  readonly clientId?: string
  readonly keyId?: string
  readonly bindingId?: string
  readonly findingId?: string
}

/** A request that the administration has refused. */
export interface AdministrationRefusal {
  /** Why it was refused: all reasons but `cross_site` are decisions of `authorize`. */
  readonly reason: 'forbidden' | 'read_only' | 'undecided' | 'cross_site'
  readonly method: string
  /** Below the mount path, and at most 100 characters. */
  readonly path: string
}

/** The routes that can refuse a request; `resource` is a route of the host. */
export type EndpointName =
  | 'token'
  | 'bind'
  | 'bindings'
  | 'revoke_binding'
  | 'register'
  | 'registration'
  | 'introspect'
  | 'preflight'
  | 'revoke'
  | 'leaked'
  | 'jwks'
  | 'administration'
  | 'authorization_server_metadata'
  | 'protected_resource_metadata'
  | 'resource'
  | 'redeem'

export interface KeyIdentity {
  /** The key's `jti`. */
  readonly keyId: string
  /** The client that asked for the key. */
  readonly clientId: string
  /** The identity that the key is for, if it is known. */
  readonly subject?: string
}

interface FindingDetails extends Omit<Finding, 'id' | 'until'> {
  readonly findingId: string
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
  'key.verified': KeyIdentity & { readonly subject: string }
  /** A request has reserved a key, and its action begins. It is emitted with `audit.failClosed` only. */
  'redemption.started': KeyIdentity & { readonly action: RedemptionAction }
  'key.redeemed': KeyIdentity & {
    readonly subject: string
    readonly action: RedemptionAction
    readonly redemptionId: string
    /** NumericDate. */
    readonly issuedAt: number
    /** NumericDate. */
    readonly expiresAt: number
  }
  /** A key came from a network that it had not come from before, and that it was not issued to. */
  'key.moved': KeyIdentity & {
    /** The network that the key was issued to, such as `192.0.2.0/24`. */
    readonly issuedTo: string
    readonly network: string
    /** The number of networks that have presented the key, with that of the issuance. */
    readonly networkCount: number
    /** Whether the user agent differs from that of the issuance too. */
    readonly agentChanged: boolean
  }
  /** The owner of a redeemed key repeated the request, and got the same answer. */
  'redemption.repeated': KeyIdentity & { readonly action: RedemptionAction }
  /** The action failed. The key is valid again. */
  'key.released': KeyIdentity & { readonly action: RedemptionAction }
  /** A bearer key was refused because another request is redeeming it. It was first reserved over five seconds ago. */
  'redemption.stalled': KeyIdentity & {
    /** How long ago the key was first reserved. */
    readonly reservedSeconds: number
  }
  /** A redeemed key was used again. With an `action`, only a route can have redeemed it: nothing of that is undone. */
  'key.replayed': KeyIdentity & FamilyEnd & { readonly action?: 'route' }
  /** An operator has revoked the results of a redeemed key. */
  'family.revoked': KeyIdentity & FamilyEnd
  'key.revoked': KeyIdentity
  /** A key has a signature of ours, but was never issued with these claims: a signing key has leaked. */
  'key.forged': KeyIdentity
  /** All keys, or all keys of one client, that were issued until a given second. */
  'keys.revoked': {
    /** NumericDate. */
    readonly issuedBefore: number
    readonly clientId?: string
  }
  /** A valid key came over cleartext. A bound key is not revoked. */
  'key.exposed': KeyIdentity & { readonly revoked: boolean }
  /** Somebody has found a valid key, and reported it. A redeemed key is not revoked. */
  'key.leaked': KeyIdentity & { readonly revoked: boolean }
  'client.bound': KeyIdentity & {
    readonly subject: string
    readonly bindingId: string
    readonly confirmation: Confirmation
    /** NumericDate, if the binding must be confirmed. */
    readonly confirmBy?: number
  }
  'client.unbound': BindingIdentity & {
    /** The cause: the client itself, the operator, a binding that replaced it, or a replay of its key. */
    readonly by: 'client' | 'operator' | 'replacement' | 'replay'
  }
  /** The client has used a binding before its deadline. */
  'binding.confirmed': BindingIdentity
  /** Nobody has used a binding before its deadline, so it was removed. */
  'binding.undone': BindingIdentity
  'client.registered': KeyIdentity & {
    readonly registeredClientId: string
    /** NumericDate, if the registration must be confirmed. */
    readonly confirmBy?: number
  }
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
  /** A client authenticated that nobody should use, or another client asked about a key or token of it. */
  'canary.used': { readonly clientId: string; readonly endpoint: EndpointName }
  /** A registered client was used before its deadline. */
  'registration.confirmed': RegistrationIdentity
  /** Nobody has used a registered client before its deadline, so it was removed. */
  'registration.undone': RegistrationIdentity
  /** A registration access token was used for another client. */
  'registration.misused': { readonly clientId: string; readonly tokenRevoked: boolean }
  /** A registration access token came over cleartext. */
  'registration.exposed': { readonly clientId: string; readonly tokenRevoked: boolean }
  /** Somebody has found a registration access token, and reported it. */
  'registration.leaked': { readonly clientId: string; readonly tokenRevoked: boolean }
  /** More refusals of one address in one minute, without their details. */
  'refusals.summarized': {
    /** The genuine key that was refused, and its client, if all refusals were about one. */
    readonly keyId?: string
    readonly clientId?: string
    readonly count: number
    /** Each reason with its number, as in `client_secret_wrong: 12`. */
    readonly reasons: readonly string[]
  }
  /** A rule has found something new. `severity` is that of the rule. */
  'finding.opened': FindingDetails
  /** A rule has found more of the same. */
  'finding.updated': FindingDetails
  'finding.closed': { readonly findingId: string; readonly author: string }
  'client.locked': Pick<Lock, 'clientId' | 'kind' | 'reason' | 'author'> & {
    /** NumericDate. */
    readonly lockedUntil: number
  }
  'client.unlocked': { readonly clientId: string; readonly author: string }
  /** An operator has acted in the administration, or has tried to. */
  'administration.acted': AdministrationAct
  /** The administration has refused a request. */
  'administration.refused': AdministrationRefusal
  'token.issued': KeyIdentity & {
    readonly subject: string
    /** The token's `jti`; absent where the host's own authorization server issued it. */
    readonly tokenId?: string
    readonly scope: readonly string[]
  }
  'token.verified': KeyIdentity & { readonly subject: string; readonly tokenId: string }
  'token.revoked': KeyIdentity
  /** A token has a signature of ours, but claims more than the key that it names: a signing key has leaked. */
  'token.forged': KeyIdentity & { readonly tokenId: string }
  /** A valid access token came over cleartext. A bound token is not revoked. */
  'token.exposed': KeyIdentity & { readonly tokenId: string; readonly revoked: boolean }
  /** Somebody has found a valid access token, and reported it. */
  'token.leaked': KeyIdentity & { readonly tokenId: string; readonly revoked: boolean }
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
    /** The OAuth error code in the answer. */
    readonly error: ErrorCode
    readonly reason: Reason
    /** The precise reason, in words. */
    readonly detail: string
    readonly status: number
    readonly clientId?: string
    readonly subject?: string
    readonly keyId?: string
    readonly tokenId?: string
    /** When the refused key expires or has expired (NumericDate), if it is genuine. */
    readonly expiresAt?: number
    /** Whether the request has headers of a proxy, but does not come from a trusted one. */
    readonly isForwardedByStranger?: boolean
  }
  /** A setting of the host is missing or risky. */
  'configuration.advised': { readonly advice: string }
  /** An observer was too slow, and has missed events. Only this observer gets the event. */
  'events.dropped': { readonly count: number }
}
