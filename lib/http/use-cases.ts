import { type Authenticate, clientAuthenticator } from '../clients/authentication/authenticate.js'
import {
  bindingLister,
  type ListBindings,
  ownBindingRevoker,
  type RevokeOwnBinding,
} from '../clients/bindings.js'
import type { Deployment, VerifyingDeployment } from '../ports/deployment.js'
import { type Bind, binder } from '../redemption/actions/bind.js'
import { type Register, registrar } from '../redemption/actions/register.js'
import { type Exchange, exchanger } from '../redemption/actions/token.js'
import { type ContainReplays, replayContainer } from '../redemption/replay.js'
import { type Redeem, redeemer } from '../redemption/reserve.js'
import { actionRunner } from '../redemption/run-action.js'
import { type Recognize, recognizer } from '../redemption/verification.js'
import { revokeExposedToken } from '../registration/management/authorization.js'
import {
  type DeleteRegistration,
  type ReadRegistration,
  registrationDeleter,
  registrationReader,
} from '../registration/management/read-or-delete.js'
import { registrationUpdater, type UpdateRegistration } from '../registration/management/update.js'
import { accessTokenVerifier, type VerifyAccessToken } from '../tokens/access-verification.js'
import { type Introspect, introspector } from '../tokens/introspection.js'
import { type Issue, keyIssuer } from '../tokens/issuance.js'
import { exposureRevoker, type Revoke, type RevokeExposed, revoker } from '../tokens/revocation.js'

/** The use cases of guards, for keys of this process or of another. */
export interface VerifyingUseCases {
  readonly recognize: Recognize
  readonly verifyAccessToken: VerifyAccessToken
  /** Absent if the issuer is asked for the state of keys: without a shared store no key can be reserved. */
  readonly redeem: Redeem | undefined
  readonly revokeExposed: RevokeExposed
}

/** All use cases of a deployment, each made once. */
export interface UseCases extends VerifyingUseCases {
  readonly authenticate: Authenticate
  readonly issue: Issue
  readonly redeem: Redeem
  readonly containReplays: ContainReplays
  readonly exchange: Exchange
  readonly bind: Bind
  readonly listBindings: ListBindings
  readonly revokeOwnBinding: RevokeOwnBinding
  readonly register: Register
  readonly readRegistration: ReadRegistration
  readonly updateRegistration: UpdateRegistration
  readonly deleteRegistration: DeleteRegistration
  readonly introspect: Introspect
  readonly revoke: Revoke
}

export function verifyingUseCases(deployment: VerifyingDeployment): VerifyingUseCases {
  return Object.freeze({
    recognize: recognizer(deployment),
    verifyAccessToken: accessTokenVerifier(deployment),
    redeem: 'askIssuer' in deployment ? undefined : redeemer(deployment),
    revokeExposed: exposureRevoker(deployment),
  })
}

export function useCases(deployment: Deployment): UseCases {
  const redeem = redeemer(deployment)
  const perform = actionRunner(deployment, redeem)
  return Object.freeze({
    ...verifyingUseCases(deployment),
    redeem,
    containReplays: replayContainer(deployment),
    authenticate: clientAuthenticator(deployment),
    issue: keyIssuer(deployment),
    exchange: exchanger(deployment, perform),
    bind: binder(deployment, perform),
    listBindings: bindingLister(deployment),
    revokeOwnBinding: ownBindingRevoker(deployment),
    register: registrar(deployment, perform),
    readRegistration: registrationReader(deployment),
    updateRegistration: registrationUpdater(deployment),
    deleteRegistration: registrationDeleter(deployment),
    introspect: introspector(deployment),
    revoke: revoker(deployment),
    revokeExposed: exposureRevoker(deployment, (...given) => revokeExposedToken(deployment, ...given)),
  })
}
