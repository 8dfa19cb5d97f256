import { accessTokenVerifier, type VerifyAccessToken } from './access-verification.js'
import { type Bind, binder } from './actions/bind.js'
import { type Register, registrar } from './actions/register.js'
import { type Exchange, exchanger } from './actions/token.js'
import { bindingLister, type ListBindings, type Unbind, unbinder } from './bindings.js'
import { type Authenticate, clientAuthenticator } from './client-authentication/authenticate.js'
import type { Deployment } from './deployment.js'
import { type Introspect, introspector } from './introspection.js'
import { type Issue, issuer } from './issuance.js'
import { type Redeem, redeemer } from './redemption.js'
import { exposureRevoker, type Revoke, type RevokeExposed, revoker } from './revocation.js'
import { type Verify, verifier } from './verification.js'

/** Everything that can be done with a deployment, each verb made once. */
export interface UseCases {
  readonly authenticate: Authenticate
  readonly issue: Issue
  readonly verify: Verify
  readonly verifyAccessToken: VerifyAccessToken
  readonly redeem: Redeem
  readonly exchange: Exchange
  readonly bind: Bind
  readonly listBindings: ListBindings
  readonly unbind: Unbind
  readonly register: Register
  readonly introspect: Introspect
  readonly revoke: Revoke
  readonly revokeExposed: RevokeExposed
}

export function useCases(deployment: Deployment): UseCases {
  const redeem = redeemer(deployment)
  return Object.freeze({
    authenticate: clientAuthenticator(deployment),
    issue: issuer(deployment),
    verify: verifier(deployment),
    verifyAccessToken: accessTokenVerifier(deployment),
    redeem,
    exchange: exchanger(deployment, redeem),
    bind: binder(deployment, redeem),
    listBindings: bindingLister(deployment),
    unbind: unbinder(deployment),
    register: registrar(deployment, redeem),
    introspect: introspector(deployment),
    revoke: revoker(deployment),
    revokeExposed: exposureRevoker(deployment),
  })
}
