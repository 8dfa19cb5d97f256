import { abortable } from '../base/abortable.js'
import { isOutage, ProvisionError } from './failure.js'
import type { OnProgress } from './progress.js'

/** The longest time that one request may take. */
const REQUEST_SECONDS = 15
const FIRST_DELAY_SECONDS = 0.5
const LONGEST_DELAY_SECONDS = 30
/** In less time than this before the deadline, there is no next attempt. */
const SHORTEST_REST_SECONDS = 0.25
const MOST_CORRECTIONS = 3

/** The issuer refused a request, but told the client what to correct: the DPoP nonce or the time. */
export class Correctable extends Error {
  readonly refusal: ProvisionError

  constructor(refusal: ProvisionError) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/** How long one call of `provision()` may take. */
export interface PatienceOptions {
  readonly deadlineSeconds: number
  readonly signal: AbortSignal | undefined
  readonly notify: OnProgress
}

/** Repeats requests until the issuer has answered, with one deadline for all of them. */
export class Patience {
  readonly #options: PatienceOptions
  readonly #end: number
  #hasFailed = false

  constructor(options: PatienceOptions) {
    this.#options = options
    this.#end = performance.now() + options.deadlineSeconds * 1000
  }

  /** Whether a request was not answered. The issuer may still have carried it out. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /**
   * Sends a request again while the issuer does not answer, or asks for a retry.
   *
   * @param url the URL that errors name
   * @param send sends the request; called again for each attempt, so that each has its own proof and assertion
   * @throws ProvisionError of the last attempt, or the reason of the aborted signal
   */
  async untilAnswered<T>(url: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#options
    let corrections = 0
    for (let failures = 0; ; ) {
      signal?.throwIfAborted()
      try {
        return await this.#inTime(url, send)
      } catch (error) {
        signal?.throwIfAborted()
        const isCorrectable = error instanceof Correctable
        if (isCorrectable && corrections < MOST_CORRECTIONS) corrections += 1
        else {
          await this.#pause(isCorrectable ? error.refusal : error, failures)
          failures += 1
        }
      }
    }
  }

  async #inTime<T>(url: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const seconds = Math.max(1, Math.min(REQUEST_SECONDS, this.#secondsLeft))
    const controller = new AbortController()
    const abort = () => controller.abort(this.#options.signal?.reason)
    this.#options.signal?.addEventListener('abort', abort, { once: true })
    const message = `No answer from ${new URL(url).host} within ${inWords(Math.round(seconds))}.`
    const timer = setTimeout(
      () => controller.abort(new ProvisionError('issuer_unreachable', message)),
      seconds * 1000,
    )
    try {
      // A fetch of the user may ignore the signal.
      return await abortable(() => send(controller.signal), controller.signal)
    } finally {
      clearTimeout(timer)
      this.#options.signal?.removeEventListener('abort', abort)
    }
  }

  /** Waits before the next attempt. Throws the error if it is no outage, or if the deadline comes first. */
  async #pause(error: unknown, failures: number): Promise<void> {
    if (!isOutage(error)) throw error
    this.#hasFailed = true
    const secondsLeft = this.#secondsLeft
    const delaySeconds = delayOf(failures, error.retryAfterSeconds, secondsLeft)
    if (delaySeconds >= secondsLeft || secondsLeft < SHORTEST_REST_SECONDS) throw this.#expired(error)
    this.#options.notify({ type: 'retry.scheduled', reason: error.message, delaySeconds })
    await sleep(delaySeconds, this.#options.signal)
  }

  #expired(error: ProvisionError): ProvisionError {
    const { status, oauthError, retryAfterSeconds } = error
    const { deadlineSeconds } = this.#options
    const wanted = retryAfterSeconds ?? 0
    const why =
      wanted > Math.max(0, this.#secondsLeft)
        ? `the issuer wants to be asked again in ${inWords(wanted)}`
        : `gave up after ${inWords(deadlineSeconds)}`
    const message = `${error.message.replace(/\.$/, '')} (${why}).`
    return new ProvisionError(error.code, message, { cause: error, status, oauthError, retryAfterSeconds })
  }

  get #secondsLeft(): number {
    return (this.#end - performance.now()) / 1000
  }
}

function inWords(seconds: number): string {
  return seconds === 1 ? '1 second' : `${seconds} seconds`
}

/** With jitter, so that a fleet that lost its issuer does not come back at one moment. */
function delayOf(failures: number, retryAfterSeconds: number | undefined, secondsLeft: number): number {
  if (retryAfterSeconds) {
    const most = Math.min(2 * retryAfterSeconds, secondsLeft)
    return retryAfterSeconds + Math.random() * Math.max(0, most - retryAfterSeconds)
  }
  return Math.random() * Math.min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** failures, secondsLeft)
}

function sleep(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, seconds * 1000)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
