import { failureOf, type Observation } from '../monitoring/use-case-recorder.js'
import type { Fate, Reservation, SettleOptions } from '../redemption/reservation.js'

/** A reservation that reports its end to the telemetry. */
export class ObservedReservation implements Reservation {
  readonly kind = 'reservation'
  /** Resolves when the key is settled or released. Never rejects. */
  readonly ended: Promise<void>
  readonly #reservation: Reservation
  readonly #observation: Observation
  #end: () => void = () => undefined

  constructor(reservation: Reservation, observation: Observation) {
    this.#reservation = reservation
    this.#observation = observation
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get redemptionId(): string {
    return this.#reservation.redemptionId
  }

  get keepsOutcome(): boolean {
    return this.#reservation.keepsOutcome
  }

  check(): Promise<void> {
    return this.#reservation.check()
  }

  async settle(options?: SettleOptions): Promise<void> {
    try {
      await this.#reservation.settle(options)
    } catch (error) {
      this.#observation.fail(failureOf(error))
      throw error
    } finally {
      this.#end()
    }
  }

  async release(hasActed?: boolean): Promise<boolean> {
    const isReleased = await this.#reservation.release(hasActed)
    this.#observation.fail('released')
    this.#end()
    return isReleased
  }

  async releaseUnlessSettled(hasActed: boolean): Promise<Fate> {
    const fate = await this.#reservation.releaseUnlessSettled(hasActed)
    if (fate !== 'settled') this.#observation.fail('released')
    this.#end()
    return fate
  }
}
