import { ProvisioningError } from '../base/errors.js'
import type { KeyRing, VerificationKeys } from '../jose/key-ring.js'
import type { TokenClock } from '../jose/signed-token.js'
import type { IssueInTime } from './access-token-identity.js'
import type { Client, ClientRegistry } from './client.js'
import type { Emit } from './events.js'
import type { AskIssuer } from './issuer-state.js'
import type { Policy, PolicyBounds } from './policy-options.js'
import type { RegistrationRules } from './rules.js'
import type { ProvisioningStore } from './store.js'

/** What verification works with, whether keys are issued in the same process or in another. Parsed and frozen. */
export interface VerificationRules {
  readonly issuer: string
  /** The audiences keys are verified against, the default one first. */
  readonly audiences: readonly string[]
  readonly environment: string | undefined
  readonly keyRing: VerificationKeys
  /** The longest lifetime any client of the deployment may have; the second cap, at verification. */
  readonly maxLifetimeSeconds: number
  /** The longest lifetime an access token of any client may have; the second cap, at verification. */
  readonly maxAccessTokenLifetimeSeconds: number
  /** Issues access tokens in our place, where the host has its own authorization server. */
  readonly issueAccessToken: IssueInTime | undefined
  /** Where used proofs are remembered. */
  readonly store: Pick<ProvisioningStore, 'useOnce'>
  readonly clockToleranceSeconds: number
  readonly dpop: DpopRules
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly emit: Emit
}

/** A deployment that knows from its store how a key stands. */
export interface StoringDeployment extends VerificationRules {
  readonly store: ProvisioningStore
  /** After which the holder of a key may take over its own claim on it, in seconds. */
  readonly redemptionLeaseSeconds: number
  /** Lets some milliseconds pass. */
  readonly pause: (milliseconds: number) => Promise<void>
}

/** A deployment that asks the issuer how a key stands. */
export interface AskingDeployment extends VerificationRules {
  readonly askIssuer: AskIssuer
}

/** A deployment that can verify keys. */
export type VerifyingDeployment = StoringDeployment | AskingDeployment

/** What every use case of the issuer works with: one deployment's parts, parsed and frozen. */
export interface Deployment extends StoringDeployment {
  readonly keyRing: KeyRing
  readonly registry: ClientRegistry
  /** Whether clients can be saved: without it there is no `bind` and no `register`. */
  readonly registryWritable: boolean
  /** What a client may have now; with `within`, no more than that either. */
  readonly policyOf: (client: Client, within?: PolicyBounds) => Policy
  readonly registration: RegistrationRules
}

/** Server nonces for DPoP proofs (RFC 9449 8): nothing is kept, and any instance with the secret honours another's. */
export interface Nonces {
  /** The nonce to hand out now. */
  current(): string
  /** Whether a nonce is of this step or the one before. */
  accepts(nonce: string): boolean
}

/** How DPoP proofs are judged (RFC 9449). */
export interface DpopRules {
  /** How old a proof may be. */
  readonly proofAgeSeconds: number
  /** Present when proofs must carry a nonce of the server's (RFC 9449 8). */
  readonly nonces: Nonces | undefined
}

/** The clock that tokens are checked with. */
export function clockOf(deployment: Pick<VerificationRules, 'now' | 'clockToleranceSeconds'>): TokenClock {
  return { now: numericDate(deployment), toleranceSeconds: deployment.clockToleranceSeconds }
}

/** Now as a NumericDate, in whole seconds (RFC 7519 2). */
export function numericDate(deployment: Pick<Deployment, 'now'>): number {
  const seconds = Math.floor(deployment.now() / 1000)
  // A clock that answers no time compares as neither before nor after: no key would ever expire.
  if (!Number.isFinite(seconds))
    throw new ProvisioningError('server_fault', 'now() must return a finite number of milliseconds.')
  return seconds
}

/** Asks the store; one that does not answer refuses the request, it never lets anything pass. */
export async function callStore<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new ProvisioningError('store_unavailable', 'The store did not answer.', { cause })
  }
}
