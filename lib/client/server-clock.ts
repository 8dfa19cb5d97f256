/** A difference that one second of resolution in `Date`, and a slow answer, can explain. */
const UNREMARKABLE_SECONDS = 3

/**
 * The time of the issuer. It corrects a wrong clock of the device by the header `Date`, and it does not notice when
 * somebody sets the clock of the device in the meantime: between two answers it counts monotonic time.
 */
export class ServerClock {
  readonly #monotonic: () => number
  /** The time at which the monotonic clock was 0, in milliseconds. */
  #start: number

  constructor(now: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic
    this.#start = now() - monotonic()
  }

  /** The NumericDate of now. */
  get seconds(): number {
    return Math.floor((this.#start + this.#monotonic()) / 1000)
  }

  /** Reads the time of an answer. Returns by how many seconds the clock was wrong, or `undefined` if it was right. */
  correctBy(headers: Headers): number | undefined {
    const date = Date.parse(headers.get('Date') ?? '')
    if (Number.isNaN(date)) return undefined
    // A cache keeps the `Date` of an answer, and says how old the answer is (RFC 9111 5.1).
    const age = Number(headers.get('Age') ?? 0)
    const now = date + (Number.isFinite(age) && age > 0 ? age : 0) * 1000
    const offset = Math.round((now - this.#start - this.#monotonic()) / 1000)
    if (Math.abs(offset) <= UNREMARKABLE_SECONDS) return undefined
    this.#start = now - this.#monotonic()
    return offset
  }
}
