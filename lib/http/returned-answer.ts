import { LazyAbort } from '../base/deadline.js'
import { ProvisioningError } from '../base/errors.js'
import { isObject } from '../base/object.js'
import type { AcceptedRequest } from './guard.js'
import type { HeldAnswer } from './held-answer.js'
import { getProvisioning } from './identities.js'
import { type RedemptionHandler, readAnswer } from './redemption-answer.js'
import { isChosenByClient, isFailure, type RouteReservation, watchReservation } from './reservation-rules.js'
import { encodeAnswer, type WholeAnswer, writeAnswer } from './whole-answer.js'

/** A handler that returns its answer. The answer is written when the key is settled. */
export interface ReturnedAnswer extends HeldAnswer {
  /** Runs the handler. Never rejects. */
  run(handler: RedemptionHandler): Promise<void>
}

/** How a handler ended. `hasActed`: it returned a success that cannot be sent. */
type Ending = { readonly answer: WholeAnswer } | { readonly error: unknown; readonly hasActed?: boolean }

/**
 * A success settles the key, also if it cannot be sent. A failure releases the key. Then the answer is written. The
 * handler does not know the response, so a broken connection makes no handler fail.
 *
 * When the key is revoked or expires, the client gets the refusal immediately. The key is decided when the handler has
 * ended, so that two handlers never work for one key.
 */
export function returnedAnswer(accepted: AcceptedRequest, reservation: RouteReservation): ReturnedAnswer {
  const { req, res, next, refuseWith } = accepted
  const aborting = new LazyAbort()
  let isRunning = true
  const isAnswered = () => res.headersSent || res.writableEnded

  function refuse(error: unknown): void {
    clearInterval(watch)
    aborting.abort(error)
    if (!isAnswered()) refuseWith(error)
  }
  const watch = watchReservation(reservation, refuse)
  res.once('close', () => {
    if (isRunning) aborting.abort()
  })

  async function run(handler: RedemptionHandler): Promise<void> {
    const ending = await endingOf(handler, req)
    isRunning = false
    clearInterval(watch)
    try {
      await decide(reservation, ending)
    } catch (error) {
      return refuse(error)
    }
    // Another middleware may have answered: a timeout, say. The owner of a bound key can still ask for the answer.
    if (isAnswered()) return
    if ('answer' in ending) return write(accepted, ending.answer)
    return ending.error instanceof ProvisioningError ? refuseWith(ending.error) : next(asError(ending.error))
  }

  return { signal: () => aborting.signal, refuse, breakOff: () => undefined, run }
}

async function endingOf(handler: RedemptionHandler, req: AcceptedRequest['req']): Promise<Ending> {
  let returned: unknown
  try {
    // The guard has attached both members that are optional elsewhere.
    const provisioning = getProvisioning(req) as Parameters<RedemptionHandler>[1]
    returned = await handler(req, provisioning)
  } catch (error) {
    return { error }
  }
  try {
    return { answer: readAnswer(returned) }
  } catch (error) {
    // The work is done. A client that can spoil the answer, by text in a header, must not get it done again.
    const status = isObject(returned) ? returned.status : undefined
    return { error, hasActed: !(typeof status === 'number' && isFailure(status)) }
  }
}

/** @throws ProvisioningError when the reservation was lost: what the handler did must not be reported as a success */
async function decide(reservation: RouteReservation, ending: Ending): Promise<void> {
  const isSettled =
    'answer' in ending
      ? !isFailure(ending.answer.status)
      : ending.hasActed ||
        isChosenByClient((ending.error as { readonly status?: unknown } | undefined)?.status)
  if (!isSettled) return void (await reservation.release())
  const isKept = 'answer' in ending && reservation.keepsOutcome
  return reservation.settle(isKept ? { outcome: encodeAnswer(ending.answer) } : {})
}

/** Express takes `next(undefined)` and `next('route')` for no error. */
function asError(thrown: unknown): unknown {
  if (typeof thrown === 'object' && thrown !== null) return thrown
  return new Error('The handler threw a value that is not an error.', { cause: thrown })
}

function write({ res }: AcceptedRequest, answer: WholeAnswer): void {
  try {
    writeAnswer(res, answer)
  } catch {
    // The key is settled. A middleware that cannot write leaves nothing else to do.
    res.destroy()
  }
}
