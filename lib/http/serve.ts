import type { Request, RequestHandler, Response } from 'express'
import { refusalOf } from '../base/caught-refusal.js'
import type { PresentedRequest } from '../base/request.js'
import { refuseUnclear } from '../tokens/presentation.js'
import type { HttpContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { refuse } from './refusal.js'
import { unlessReplayed } from './verify-key.js'
import type { Handle } from './visit.js'
import { type Answer, answer } from './wire.js'

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
