import type { KeyObject } from 'node:crypto'
import type { BackgroundWork } from '../base/background.js'
import { ProvisioningError } from '../base/errors.js'
import type { RecentMap } from '../base/recent-map.js'
import type { PresentedRequest, RequestSource } from '../base/request.js'
import type { Decoys } from '../jose/decoys.js'
import type { KeyRing, VerificationKeys } from '../jose/key-ring.js'
import type { TokenClock } from '../jose/signed-token.js'
import type { IssueInTime } from './access-token-identity.js'
import type { Client, ClientRegistry } from './client.js'
import type { Emit, EmitAudited, EventDetails, EventType } from './events.js'
import type { AskIssuer } from './issuer-state.js'
import type { Policy, PolicyBounds } from './policy-options.js'
import type { RegistrationRules } from './rules.js'
import type { ProvisioningStore } from './store.js'

/** Everything that verification needs, in the process of the issuer or in another one. Parsed and frozen. */
export interface VerificationRules {
  readonly issuer: string
  /** The audiences that a key may be for, the default one first. */
  readonly audiences: readonly string[]
  readonly environment: string | undefined
  readonly keyRing: VerificationKeys
  /** The longest lifetime of a key of any client. Verification refuses a key that lives longer. */
  readonly maxLifetimeSeconds: number
  /** The longest lifetime of an access token of any client. Verification refuses a token that lives longer. */
  readonly maxAccessTokenLifetimeSeconds: number
  /** Issues access tokens in place of this library, if the host has its own authorization server. */
  readonly issueAccessToken: IssueInTime | undefined
  /** Where used proofs are remembered. */
  readonly store: Pick<ProvisioningStore, 'useOnce'>
  readonly clockToleranceSeconds: number
  readonly dpop: DpopRules
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly emit: Emit
  /** The work that no request waits for. */
  readonly background: BackgroundWork
}

/** A deployment that reads the state of a key from its store. */
export interface StoringDeployment extends VerificationRules {
  readonly store: ProvisioningStore
  /** The seconds after which the owner of a reservation may resume the redemption. */
  readonly redemptionLeaseSeconds: number
  /** Whether keys are issued and redeemed only if the audit log takes the events. */
  readonly isAuditRequired: boolean
  /** Emits an event. If `isAuditRequired`, the promise rejects unless the audit log takes it. */
  readonly emitAudited: EmitAudited
  /** Waits for some milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>
}

/** A deployment that asks the issuer for the state of a key. */
export interface AskingDeployment extends VerificationRules {
  readonly askIssuer: AskIssuer
}

/** A deployment that can verify keys. */
export type VerifyingDeployment = StoringDeployment | AskingDeployment

/** Everything that the use cases of the issuer need: the parts of one deployment, parsed and frozen. */
export interface Deployment extends StoringDeployment {
  readonly keyRing: KeyRing
  readonly registry: ClientRegistry
  /** Whether clients can be saved: without it there is no `bind` and no `register`. */
  readonly registryWritable: boolean
  /** The complete policy of a found client, limited by `within` if that is given. Without it, the policy is made once. */
  readonly policyOf: (client: Client, within?: PolicyBounds) => Policy
  readonly registration: RegistrationRules
  /** The keys that replace missing keys of clients. */
  readonly decoys: Decoys
  /** The ids of the clients that nobody should use. */
  readonly canaries: ReadonlySet<string>
  /** Notes that a client has authenticated, and with which binding. */
  readonly noteUse: (use: UsedClient) => void
}

/** A client that has authenticated, and the binding that it has used, if it has. */
export interface UsedClient {
  readonly clientId: string
  readonly bindingId: string | undefined
  readonly source: RequestSource
}

/** Server nonces for DPoP proofs (RFC 9449 8). Not stored: instances with the same secret accept each other's. */
export interface Nonces {
  /** The nonce to hand out now. */
  current(): string
  /** Whether a nonce is from the current step or the previous one. */
  accepts(nonce: string): boolean
}

export interface DpopRules {
  /** How old a proof may be. */
  readonly proofAgeSeconds: number
  /** Present when proofs must carry a nonce of this server (RFC 9449 8). */
  readonly nonces: Nonces | undefined
  /** The use of the proof of each request. Two guards in a row verify one request twice, but use its proof once. */
  readonly uses: WeakMap<PresentedRequest, Promise<void>>
  /** The public keys of valid proofs, by their thumbprint. To import a key takes as long as to verify a signature. */
  readonly proofKeys: RecentMap<KeyObject>
}

export function clockOf(deployment: Pick<VerificationRules, 'now' | 'clockToleranceSeconds'>): TokenClock {
  return { nowSeconds: numericDate(deployment), toleranceSeconds: deployment.clockToleranceSeconds }
}

/** Now as a NumericDate, in whole seconds (RFC 7519 2). */
export function numericDate(deployment: Pick<Deployment, 'now'>): number {
  const seconds = Math.floor(deployment.now() / 1000)
  // Every comparison with NaN is false: with such a clock no key would ever expire.
  if (!Number.isFinite(seconds))
    throw new ProvisioningError('server_fault', 'now() must return a finite number of milliseconds.')
  return seconds
}

/**
 * Emits an event that the audit log must have.
 *
 * @throws ProvisioningError `audit_unavailable`
 */
export async function audited<T extends EventType>(
  { emitAudited }: Pick<StoringDeployment, 'emitAudited'>,
  ...event: readonly [type: T, details: EventDetails[T], source: RequestSource | undefined]
): Promise<void> {
  try {
    await emitAudited(...event)
  } catch (cause) {
    throw new ProvisioningError('audit_unavailable', 'The audit log did not take the event.', { cause })
  }
}

/** Calls the store. If the store fails or does not answer, the request is refused. The cause says which. */
export async function callStore<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new ProvisioningError('store_unavailable', 'The store failed or did not answer.', { cause })
  }
}
