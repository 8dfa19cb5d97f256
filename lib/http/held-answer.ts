import type { Response } from 'express'
import { LONGEST_OUTCOME } from '../redemption/outcome.js'
import type { Reservation } from '../redemption/reservation.js'
import { isChosenByClient, isFailure, watchReservation } from './reservation-rules.js'
import { type Decide, type Patience, ResponseGate } from './response-gate.js'
import { encodeAnswer } from './whole-answer.js'

/** Answers that are kept, so that they can be given again, are waited for until they are whole. */
const PATIENCE: Patience = {
  bytes: LONGEST_OUTCOME,
  milliseconds: 1_000,
  with: (status) => !isFailure(status),
}

/** The answer of a handler that is held until its key is settled. */
export interface HeldAnswer {
  /**
   * Aborted when the connection breaks before the handler has answered, or when the key is revoked or expires. Who reads
   * it decides by the answer what becomes of the key of a broken connection.
   */
  readonly signal: AbortSignal
  /** Answers in the place of a handler that has not started. */
  refuse(error: unknown): void
}

/**
 * Holds what a handler answers until its key is settled, so that no client is told of a success that does not last.
 *
 * The first output decides; where the answer is to be kept, the last, or the first that shows that it will be too long
 * for that or takes more than a second. A success settles the key, a failure releases it; then what was held is written.
 * Where the claim was lost in the meantime, what was held is dropped and the refusal is written in its place. A
 * connection that breaks does not release by itself: the handler may be at work still, and two handlers must not be
 * at work for one key. It is told by the signal, and decides by what it answers. Where a handler never looks at the
 * signal, a failure after that settles too: to stream to a connection that is gone fails, though the handler has acted.
 */
export function holdAnswer(
  res: Response,
  claim: Reservation,
  refuseWith: (error: unknown) => void,
): HeldAnswer {
  const aborting = new AbortController()
  /** Whether the connection broke before the handler answered, and whether the handler wants to know. */
  const broken = { isBroken: false, isWatched: false }
  const isBlind = () => (broken.isBroken || res.destroyed) && !broken.isWatched && res.req.complete
  const choice = watchChoices(res)
  const decide: Decide = (status, whole) => {
    clearInterval(watch)
    const outcome = whole === undefined ? {} : { outcome: encodeAnswer(whole) }
    const isReleased = isFailure(status) && !choice.wasMade() && !isBlind()
    const decided = isReleased ? claim.release() : claim.settle(outcome)
    decided
      .then(
        () => gate.open(),
        (error) => gate.replaceBy(() => refuseWith(error)),
      )
      // What Node refuses to write although it was looked at before: the connection is all that can be ended.
      .catch(() => res.destroy())
  }
  const gate = new ResponseGate(res, decide, claim.keepsOutcome ? PATIENCE : undefined)
  const watch = watchReservation(claim, (error) => aborting.abort(error))
  res.once('close', () => {
    if (gate.hasOutput) return clearInterval(watch)
    broken.isBroken = true
    aborting.abort()
  })
  return {
    get signal() {
      broken.isWatched = true
      return aborting.signal
    },
    refuse(error) {
      if (gate.hasOutput) return
      clearInterval(watch)
      aborting.abort(error)
      gate.replaceBy(() => refuseWith(error))
      void claim.release()
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
