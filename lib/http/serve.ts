import type { Request, RequestHandler, Response } from 'express'
import { refusalOf } from '../base/caught-refusal.js'
import type { Parameters, PresentedRequest } from '../base/request.js'
import { type AuthenticatedClient, authenticateClient } from '../clients/authentication/authenticate.js'
import { noteCanary } from '../clients/client-events.js'
import { ACTION_SCOPES } from '../clients/scopes.js'
import { observed } from '../monitoring/use-case-recorder.js'
import type { EndpointName } from '../ports/events.js'
import type { PresentedCredential } from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import type { Verified } from '../redemption/key-state.js'
import { actOrContain } from '../redemption/replay.js'
import { refuseUnclear } from '../tokens/presentation.js'
import type { HttpContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { refuse } from './refusal.js'
import { type KeyLimits, unlessReplayed, verifyCounted } from './verify-key.js'
import { type Answer, answer } from './wire.js'

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

/** Verifies the key of a request and runs the action that the key is redeemed for. Replays are contained. */
export function redeemKey<T>(
  { context, presented, target, keyLimits }: Visit,
  action: keyof typeof ACTION_SCOPES,
  credential: PresentedCredential,
  act: (verified: Verified) => Promise<T>,
): Promise<T> {
  const { deployment, useCases } = context.config
  const scope = [ACTION_SCOPES[action]]
  const expected = { audiences: deployment.audiences, scope, target, redeems: true }
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

/** Makes the request handler of an endpoint: the steps that all endpoints share, around `handle`. */
export function serve(context: HttpContext, endpoint: Endpoint, handle: Handle): RequestHandler {
  const limits = context.limiterOf(endpoint.limit)
  const site = context.siteOf(endpoint)
  const target = context.targetOf(endpoint)

  async function visit(
    req: Request,
    res: Response,
    presented: PresentedRequest,
  ): Promise<Answer | undefined> {
    const addressRefusal = await refusalOf(() => limits.byAddress(req, res))
    if (addressRefusal !== undefined && endpoint.redeems === undefined) throw addressRefusal
    const answered = await unlessReplayed(addressRefusal, async () => {
      refuseUnclear(presented)
      return handle({
        context,
        endpoint: endpoint.name,
        req,
        res,
        presented,
        target,
        limitClient: (clientId) => limits.byClient(req, res, clientId),
        keyLimits: { addressRefusal, countKey: (jti) => limits.byKey(req, res, jti) },
      })
    })
    if (addressRefusal !== undefined && answered !== undefined) throw addressRefusal
    return answered
  }

  return function serveEndpoint(req, res, next) {
    const presented = context.present(req)
    // Only `POST` endpoints take proofs, and a nonce would make other answers uncacheable.
    if (endpoint.method === 'POST') context.offerNonce(res, presented)
    visit(req, res, presented)
      .then((done) => (done === undefined ? next() : answer(res, done)))
      .catch((error) => refuse(res, error, presented, site))
  }
}
