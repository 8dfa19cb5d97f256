import type { Parameters, PresentedRequest } from '../base/request.js'

/** The method of `ProvisioningKeys` that makes a guard. */
export type GuardName = 'requireProvisioningKey' | 'redeemProvisioningKey' | 'requireAccessToken'

/** The options of a guard, complete. */
export interface GuardRequirements {
  readonly scope: readonly string[]
  readonly audience: string
}

/** What one deployment remembers about a request. */
export interface RequestNotes {
  presented?: PresentedRequest
  /** The form in its body. */
  form?: Promise<Parameters>
  /** The guard of a key that it has passed. */
  passed?: PassedGuard
}

/** A guard that has accepted a request, and its requirements. */
export interface PassedGuard extends GuardRequirements {
  readonly name: GuardName
}
