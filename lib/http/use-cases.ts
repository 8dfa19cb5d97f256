import type { Deployment } from '../ports/deployment.js'
import { type Bind, binder } from '../redemption/actions/bind.js'
import { type Register, registrar } from '../redemption/actions/register.js'
import { type Exchange, exchanger } from '../redemption/actions/token.js'
import { type RunAction, runAction } from '../redemption/run-action.js'
import { type Issue, keyIssuer } from '../tokens/issuance.js'

/** All use cases of a deployment, each made once. */
export interface UseCases {
  readonly issue: Issue
  readonly exchange: Exchange
  readonly bind: Bind
  readonly register: Register
}

export function useCases(deployment: Deployment): UseCases {
  const perform: RunAction = (verified, action) => runAction(deployment, verified, action)
  return Object.freeze({
    issue: keyIssuer(deployment),
    exchange: exchanger(deployment, perform),
    bind: binder(deployment, perform),
    register: registrar(deployment, perform),
  })
}
