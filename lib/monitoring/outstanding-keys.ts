/** The longest lifetime of a key is 3600 seconds, and clocks differ by at most 60. */
const MOST_SECONDS = 4_000

/**
 * Counts the keys that are neither redeemed nor expired, by the second in which they expire. One process may issue a key,
 * and another one may redeem it. Then the first process counts 1, and the second -1. Both forget it when it expires. So
 * the sum over all processes is right, and a lost process makes it wrong for the lifetime of a key only.
 */
export class OutstandingKeys {
  readonly #bySecond = new Map<number, number>()
  #reported = 0

  add(expiresAt: number, keys: 1 | -1, nowSeconds: number): void {
    if (this.#bySecond.size >= MOST_SECONDS) this.#forgetExpired(nowSeconds)
    this.#bySecond.set(expiresAt, (this.#bySecond.get(expiresAt) ?? 0) + keys)
  }

  /** The difference to the last report. */
  change(nowSeconds: number): number {
    this.#forgetExpired(nowSeconds)
    let sum = 0
    for (const keys of this.#bySecond.values()) sum += keys
    const change = sum - this.#reported
    this.#reported = sum
    return change
  }

  #forgetExpired(nowSeconds: number): void {
    for (const expiresAt of this.#bySecond.keys())
      if (expiresAt <= nowSeconds) this.#bySecond.delete(expiresAt)
  }
}
