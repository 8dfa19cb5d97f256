import type { Response } from 'express'
import { LazyAbort } from '../base/deadline.js'
import {
  hasPrecondition,
  isChosenByClient,
  isFailure,
  type RouteReservation,
  watchReservation,
} from './reservation-rules.js'
import { ResponseGate } from './response-gate.js'
import { encodeAnswer, type WholeAnswer } from './whole-answer.js'

/** The answer of a handler that works on a reserved key. */
export interface HeldAnswer {
  /**
   * Aborted when the connection breaks before the handler has answered, or when the key is revoked or expires. After a
   * broken connection, a failure of a handler that has read it releases the key.
   */
  signal(): AbortSignal
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
export class HeldResponse implements HeldAnswer {
  readonly #res: Response
  readonly #reservation: RouteReservation
  readonly #refuseWith: (error: unknown) => void
  readonly #gate: ResponseGate
  readonly #aborting = new LazyAbort()
  readonly #watch: NodeJS.Timeout
  readonly #choice: { wasMade(): boolean }
  readonly #isConditional: boolean
  /** Whether the connection broke before the handler answered. */
  #isBroken = false
  #isBrokenByServer = false
  /** Whether the handler has read the signal. */
  #isWatched = false

  constructor(res: Response, reservation: RouteReservation, refuseWith: (error: unknown) => void) {
    this.#res = res
    this.#reservation = reservation
    this.#refuseWith = refuseWith
    this.#choice = watchChoices(res)
    this.#isConditional = hasPrecondition(res.req)
    this.#gate = new ResponseGate(res, (status, whole) => this.#decide(status, whole))
    const onBroken = () => this.#onBroken()
    // The response to a pipelined request has no connection yet, so it does not report a broken connection.
    const onCheck = () => res.req.socket.destroyed && onBroken()
    this.#watch = watchReservation(reservation, (error) => this.#aborting.abort(error), onCheck)
    res.once('close', onBroken)
  }

  signal(): AbortSignal {
    this.#isWatched = true
    return this.#aborting.signal
  }

  breakOff(): void {
    this.#isBrokenByServer = true
  }

  refuse(error: unknown): void {
    if (this.#gate.hasOutput) return
    clearInterval(this.#watch)
    this.#aborting.abort(error)
    this.#gate.replaceBy(() => this.#refuseWith(error))
    void this.#reservation.release()
  }

  #onBroken(): void {
    if (this.#gate.hasOutput) {
      clearInterval(this.#watch)
      return
    }
    this.#isBroken = true
    this.#aborting.abort()
  }

  #decide(status: number, whole: () => WholeAnswer | undefined): void {
    clearInterval(this.#watch)
    const decided = this.#isReleasedBy(status) ? this.#reservation.release() : this.#settle(whole)
    decided
      .then(
        () => this.#gate.open(),
        (error) => this.#gate.replaceBy(() => this.#refuseWith(error)),
      )
      // The head and the body were checked. If Node still refuses to write them, close the connection.
      .catch(() => this.#res.destroy())
  }

  #isReleasedBy(status: number): boolean {
    return isFailure(status) && !this.#isConditional && !this.#choice.wasMade() && !this.#isBlind()
  }

  /** The connection is broken, and the handler does not know it. */
  #isBlind(): boolean {
    const isGone = this.#isBroken || this.#res.destroyed || this.#res.req.socket.destroyed
    return isGone && !this.#isWatched && !this.#isBrokenByServer
  }

  #settle(whole: () => WholeAnswer | undefined): Promise<void> {
    const kept = this.#reservation.keepsOutcome ? whole() : undefined
    return this.#reservation.settle(kept && { outcome: encodeAnswer(kept) })
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
