import type { Confirmation } from './key-record.js'

/**
 * The use of a redeemed key. `route`: a route behind `redeemProvisioningKey()`.
 *
 * @example
 * const actionsWithAClient: readonly RedemptionAction[] = ['bind', 'register']
 */
export type RedemptionAction = 'token' | 'bind' | 'register' | 'route'

/**
 * The fate of a registration or a binding after a replay. `gone`: it did not exist any more. `unreached`: it still
 * exists, because the store or the client registry did not answer, or because this process has no registry.
 *
 * @example
 * const needsAnOperator: readonly FamilyFate[] = ['flagged', 'unreached']
 */
export type FamilyFate = 'revoked' | 'flagged' | 'gone' | 'unreached'

/**
 * The result of ending a family: all that the redemption of one key led to.
 *
 * @example
 * function isOver({ family }: FamilyEnd): boolean {
 *   return family === undefined || family.fate === 'revoked' || family.fate === 'gone'
 * }
 * keys.on('key.replayed', (event) => console.log(event.keyId, isOver(event)))
 */
export interface FamilyEnd {
  /** Whether this revoked access tokens of the family. */
  readonly familyRevoked: boolean
  /**
   * The client that the redemption created or changed, if any, and its fate. `clientId` is absent if it could not be
   * found out.
   */
  readonly family?: { readonly clientId?: string; readonly fate: FamilyFate }
}

/** Names a registration, or the client of a binding. */
export interface RegistrationIdentity {
  /** The registered client, or the client of the binding. */
  readonly clientId: string
  /** The `jti` of the provisioning key that had been redeemed for it. */
  readonly keyId: string
}

/** Names a binding. */
export interface BindingIdentity extends RegistrationIdentity {
  readonly bindingId: string
  readonly confirmation: Confirmation
}
