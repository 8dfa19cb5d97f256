import type { Request, Response } from 'express'
import { failureOf, type Observation } from '../monitoring/use-case-recorder.js'
import type { StoringDeployment } from '../ports/deployment.js'
import { pathOf } from '../possession/target.js'
import type { Verified } from '../redemption/key-state.js'
import { requestDigest } from '../redemption/outcome.js'
import type { Repetition } from '../redemption/replay.js'
import type { RedemptionRequest, Reservation } from '../redemption/reservation.js'
import { reserve } from '../redemption/reserve.js'
import type { AcceptedRequest } from './guard.js'
import { HeldResponse } from './held-answer.js'
import { attachProvisioning } from './identities.js'
import type { RedemptionHandler } from './redemption-answer.js'
import { abortSlowBody, checkAtEnd, isGone, type ReceiveBody, type ReceivedBody } from './request-body.js'
import type { RouteReservation } from './reservation-rules.js'
import { returnedAnswer } from './returned-answer.js'
import { answerAgain } from './whole-answer.js'

/** What a guard that redeems needs for its route. */
interface RedeemingRoute {
  readonly deployment: StoringDeployment
  readonly receiveBody: ReceiveBody
  /** Returns the answer. `undefined` when the next handlers of the route answer by `res`. */
  readonly handler: RedemptionHandler | undefined
}

/** Reserves the key and runs the handler. Its answer settles or releases the key. */
export async function acceptRedeeming(
  route: RedeemingRoute,
  accepted: AcceptedRequest,
  verified: Verified,
  observation?: Observation,
): Promise<void> {
  const { deployment, handler } = route
  const { req, res, next, refuseWith } = accepted
  // The body may take three quarters of the lease, so that some time is left for the handler.
  const longestBody = deployment.redemptionLeaseSeconds * 750
  const begun = performance.now()
  const reserved = await reserveForRoute(route, accepted, verified, longestBody)
  if (reserved.kind === 'repetition') {
    if (verified.deferred !== undefined) throw verified.deferred
    return answerAgain(res, reserved.outcome)
  }
  const observed = observation && observedReservation(reserved, observation)
  const redemption = observed ?? reserved
  if (isGone(req, res)) return void (await redemption.release())
  const returned = handler && returnedAnswer(accepted, redemption)
  const held = returned ?? new HeldResponse(res, redemption, refuseWith)
  const check = () => redemption.check()
  checkAtEnd(req, res, check, (error) => held.refuse(error))
  abortSlowBody(req, res, longestBody - (performance.now() - begun), () => held.breakOff())
  const { redemptionId } = reserved
  attachProvisioning(req, verified.key, { redemptionId, signal: () => held.signal() })
  if (handler === undefined || returned === undefined) {
    next()
    return observed?.ended
  }
  accepted.resumeBody()
  await returned.run(handler)
}

/** A reservation that reports its end to the telemetry. `ended` resolves then, and never rejects. */
function observedReservation(
  reservation: Reservation,
  observation: Observation,
): RouteReservation & { readonly ended: Promise<void> } {
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return {
    ended,
    keepsOutcome: reservation.keepsOutcome,
    check: () => reservation.check(),
    async settle(options) {
      try {
        await reservation.settle(options)
      } catch (error) {
        observation.fail(failureOf(error))
        throw error
      } finally {
        end()
      }
    },
    async release() {
      const isReleased = await reservation.release()
      observation.fail('released')
      end()
      return isReleased
    },
  }
}

/** Waits for the body, and reserves the key. */
async function reserveForRoute(
  { deployment, receiveBody }: RedeemingRoute,
  { req, res, presented }: AcceptedRequest,
  verified: Verified,
  longestBody: number,
): Promise<Reservation | Repetition> {
  const { key, state } = verified
  // A redeemed bearer key is always a replay, so its body does not matter.
  const isReplay = state === 'redeemed' && key.confirmation === undefined
  const body = isReplay ? undefined : await receiveBody(req, longestBody).catch(closing(req, res))
  // Only an owner can repeat a request, so only its request needs digests. They and its kept answer took 6 %.
  const digests = key.confirmation === undefined ? WITHOUT_OWNER : digestsOf(req, body)
  return reserve(deployment, verified, { action: 'route', source: presented, ...digests })
}

type Digests = Pick<RedemptionRequest, 'route' | 'digest' | 'approximateDigest' | 'isIncomparable'>

const WITHOUT_OWNER: Digests = { digest: undefined }

/** The digests by which a repeated request is recognized. */
function digestsOf({ method, originalUrl, headers }: Request, body: ReceivedBody | undefined): Digests {
  const { 'content-type': type, 'content-length': length } = headers
  const ofBody = body?.digest
  const path = pathOf(originalUrl)
  return {
    route: requestDigest(method, path),
    digest: ofBody && requestDigest('route', method, path, ofBody),
    // Without a length it would recognize any body, so it counts only if there is no digest.
    ...((ofBody === undefined || length !== undefined) && {
      approximateDigest: requestDigest('like', method, path, type, length),
    }),
    isIncomparable: body?.isCrowdedOut === true,
  }
}

/**
 * Closes the connection after the refusal of an incomplete body. Otherwise Node would wait for the rest. HTTP/2 has no such
 * header (RFC 9113 8.2.2), and its connections do not wait for one stream.
 */
function closing(req: Request, res: Response): (error: unknown) => never {
  return (error) => {
    if (req.httpVersionMajor < 2) res.setHeader('Connection', 'close')
    throw error
  }
}
