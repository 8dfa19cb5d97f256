import type { Request, Response } from 'express'
import type { Parameters, PresentedRequest } from '../base/request.js'
import { type AuthenticatedClient, authenticateClient } from '../clients/authentication/authenticate.js'
import { noteCanary } from '../clients/canary.js'
import { observed } from '../monitoring/use-case-recorder.js'
import type { EndpointName } from '../ports/events.js'
import type { RedemptionAction } from '../ports/redemption.js'
import type { PresentedCredential } from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import { actOrContain } from '../redemption/replay.js'
import type { Verified } from '../redemption/verified.js'
import type { HttpContext } from './context.js'
import { type KeyLimits, verifyCounted } from './verify-key.js'
import type { Answer } from './wire.js'

/** One request at one of our endpoints. */
export interface Visit {
  readonly context: HttpContext
  readonly endpoint: EndpointName
  readonly req: Request
  readonly res: Response
  readonly presented: PresentedRequest
  /** The request target that a DPoP proof must name. */
  readonly target: Target
  /** Counts the request against a client that has proven its identity. */
  readonly limitClient: (clientId: string) => Promise<void> | undefined
  /** The limits of the key that the request redeems. */
  readonly keyLimits: KeyLimits
}

/** Answers a visit; `undefined` leaves it to the next router. */
export type Handle = (visit: Visit) => Promise<Answer | undefined>

/** Authenticates the client that sends a form, and counts the request against the client. */
export async function authenticatedForm(visit: Visit): Promise<[AuthenticatedClient, Parameters]> {
  const { context, req, res, keyLimits } = visit
  if (keyLimits.addressRefusal !== undefined) throw keyLimits.addressRefusal
  const parameters = await context.form(req, res)
  const client = await authenticate(visit, parameters)
  await visit.limitClient(client.clientId)
  return [client, parameters]
}

/** Authenticates the client of a request. The use of a canary is an event, also if the request is refused later. */
export async function authenticate(
  { context, endpoint, presented }: Visit,
  parameters: Parameters,
): Promise<AuthenticatedClient> {
  const { deployment } = context.config
  const client = await authenticateClient(deployment, presented, parameters)
  noteCanary(deployment, { clientId: client.clientId, endpoint }, client.source)
  return client
}

/** A redemption with an action of ours. */
interface RedeemingVisit<T> {
  readonly action: RedemptionAction
  readonly credential: PresentedCredential
  /** The scope that the key must have. */
  readonly scope: string
  act(verified: Verified): Promise<T>
}

/** Verifies the key of a request and runs the action that the key is redeemed for. Replays are contained. */
export function redeemKey<T>(
  { context, presented, target, keyLimits }: Visit,
  { action, credential, scope, act }: RedeemingVisit<T>,
): Promise<T> {
  const { deployment, useCases } = context.config
  const expected = { audiences: deployment.audiences, scope: [scope], target, redeems: true }
  const presentation = { credential, presented, expected }
  return observed(useCases, action, async (observation) => {
    const verified = await verifyCounted(deployment, keyLimits, presentation, observation)
    const result = await actOrContain(deployment, { ...verified, source: presented }, () => act(verified))
    // Only a repeated redemption reaches this line despite a limit.
    if (verified.deferred !== undefined) throw verified.deferred
    return result
  })
}

export function ok(body: object): Answer {
  return { status: 200, body }
}

export function created(body: object): Answer {
  return { status: 201, body }
}
