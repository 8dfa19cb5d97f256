import type { Response } from 'express'
import type { Reservation } from '../redemption/reservation.js'
import { hasPrecondition, isChosenByClient, isFailure, watchReservation } from './reservation-rules.js'
import { type Decide, ResponseGate } from './response-gate.js'
import { encodeAnswer } from './whole-answer.js'

/** The answer of a handler that works on a reserved key. */
export interface HeldAnswer {
  /**
   * Aborted when the connection breaks before the handler has answered, or when the key is revoked or expires. After a
   * broken connection, a failure of a handler that has read it releases the key.
   */
  readonly signal: AbortSignal
  /** The server closes the connection, not the client. A failure of the handler then releases the key. */
  breakOff(): void
  /** Answers for a handler that still waits for the end of its body. */
  refuse(error: unknown): void
}

/**
 * Holds the answer of a handler until its key is settled, so that no client gets a success that does not last.
 *
 * The first output decides by its status: a success settles the key, a failure releases it. Then the answer is written.
 * When the reservation was lost, the refusal is written instead. An answer in one piece is kept for retries. A stream is
 * not: it goes out as it comes, once its key is settled.
 *
 * A broken connection does not release the key. The handler may still be at work, and two handlers must not be at work
 * for one key. The signal informs the handler, which decides by its answer. A handler that never reads the signal does
 * not decide: its failure settles the key too, because a stream to a broken connection fails although the handler acted.
 */
export function holdAnswer(
  res: Response,
  reservation: Reservation,
  refuseWith: (error: unknown) => void,
): HeldAnswer {
  const aborting = new AbortController()
  /** Whether the connection broke before the handler answered, and whether the handler has read the signal. */
  const broken = { isBroken: false, isByServer: false, isWatched: false }
  const isGone = () => broken.isBroken || res.destroyed || res.req.socket.destroyed
  const isBlind = () => isGone() && !broken.isWatched && !broken.isByServer
  const choice = watchChoices(res)
  const isConditional = hasPrecondition(res.req)
  const decide: Decide = (status, whole) => {
    clearInterval(watch)
    const isKept = whole !== undefined && reservation.keepsOutcome
    const outcome = isKept ? { outcome: encodeAnswer(whole) } : {}
    const isReleased = isFailure(status) && !isConditional && !choice.wasMade() && !isBlind()
    const decided = isReleased ? reservation.release() : reservation.settle(outcome)
    decided
      .then(
        () => gate.open(),
        (error) => gate.replaceBy(() => refuseWith(error)),
      )
      // The head and the body were checked. If Node still refuses to write them, close the connection.
      .catch(() => res.destroy())
  }
  const gate = new ResponseGate(res, decide)
  const onBroken = () => {
    if (gate.hasOutput) return clearInterval(watch)
    broken.isBroken = true
    aborting.abort()
  }
  // The response to a pipelined request has no connection yet, so it does not report a broken connection.
  const onCheck = () => res.req.socket.destroyed && onBroken()
  const watch = watchReservation(reservation, (error) => aborting.abort(error), onCheck)
  res.once('close', onBroken)
  return {
    get signal() {
      broken.isWatched = true
      return aborting.signal
    },
    breakOff() {
      broken.isByServer = true
    },
    refuse(error) {
      if (gate.hasOutput) return
      clearInterval(watch)
      aborting.abort(error)
      gate.replaceBy(() => refuseWith(error))
      void reservation.release()
    },
  }
}

/**
 * Express does not write these statuses: `res.format()` and `res.sendFile()` hand an error to `req.next`, and an error
 * handler of the host may answer it with any status. So that error settles the key, whatever the answer is.
 */
function watchChoices({ req }: Response): { wasMade(): boolean } {
  let isMade = false
  let next = req.next
  const nextWatched = (error?: unknown) => {
    isMade ||= isChosenByClient((error as { status?: unknown } | undefined)?.status)
    next?.(error)
  }
  Object.defineProperty(req, 'next', {
    get: () => nextWatched,
    set(given: typeof next) {
      if (given !== nextWatched) next = given
    },
    enumerable: true,
    configurable: true,
  })
  return { wasMade: () => isMade }
}
