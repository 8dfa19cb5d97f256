import type { Request } from 'express'
import { ProvisioningError } from '../base/errors.js'
import type { Reservation } from '../redemption/reservation.js'

/** What a route does with the reservation of its key. */
export type RouteReservation = Pick<Reservation, 'keepsOutcome' | 'check' | 'settle' | 'release'>

/** How often the key of a running handler is checked. */
const CHECK_MILLISECONDS = 1_000

/** Checks at a fixed interval whether the key is still reserved. The clock of the deployment may jump. */
export function watchReservation(
  reservation: Pick<RouteReservation, 'check'>,
  onLost: (error: unknown) => void,
  onCheck: () => void = () => undefined,
): NodeJS.Timeout {
  const watch = setInterval(() => {
    onCheck()
    reservation.check().catch((error) => {
      // A store that does not answer for a moment says nothing about the key.
      const isOutage = error instanceof ProvisioningError && error.code === 'temporarily_unavailable'
      if (isOutage) return
      clearInterval(watch)
      onLost(error)
    })
  }, CHECK_MILLISECONDS).unref()
  return watch
}

/**
 * Express replaces a success by these statuses because of request headers (`Accept`, `Range`, `If-Match`). They settle
 * the key. If they released it, the client could repeat the action as often as it likes.
 */
const CHOSEN_BY_CLIENT: ReadonlySet<unknown> = new Set([406, 412, 416])

export function isChosenByClient(status: unknown): boolean {
  return CHOSEN_BY_CLIENT.has(status)
}

/**
 * Headers by which a client can make a handler fail after it has acted. A failure of a request with one of them settles
 * the key, because an error handler of the host can answer it with any status.
 */
const PRECONDITIONS = ['range', 'if-match', 'if-unmodified-since']

export function hasPrecondition({ headers }: Request): boolean {
  return PRECONDITIONS.some((name) => headers[name] !== undefined)
}

/** Whether a status releases the key. */
export function isFailure(status: number): boolean {
  return status >= 400 && !isChosenByClient(status)
}
