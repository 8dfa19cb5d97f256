import { systemCode } from '../base/system-code.js'
import type { DeadLetterReason, DeliverySettings } from './delivery-options.js'

/** An event on its way to a receiver. */
export interface Letter {
  readonly id: string
  readonly type: string
  /** What the event is about. Only some letters of one topic wait at the same time. */
  readonly topic: string
}

/** The result of an attempt. `detail` is a code, and never a text of the receiver. */
export type Verdict =
  | { readonly kind: 'delivered' }
  /** `gone`: the receiver wants no other letter either. */
  | { readonly kind: 'rejected' | 'gone'; readonly detail: string }
  /** `afterSeconds`: the receiver wants no request before. */
  | { readonly kind: 'failed'; readonly detail: string; readonly afterSeconds?: number | undefined }

/**
 * How deliveries go so far.
 *
 * @example
 * const isHealthy = ({ state, deadLetters }: DeliveryStats) => state === 'open' && deadLetters === 0
 */
export interface DeliveryStats {
  /** `gone`: the receiver answered 410. `closed`: you called `close()`. */
  readonly state: 'open' | 'gone' | 'closed'
  /** Events that wait or are being sent. */
  readonly queued: number
  readonly delivered: number
  /** Attempts that failed. The event may have been delivered later. */
  readonly failedAttempts: number
  /** Events that were given up. */
  readonly deadLetters: number
}

interface QueuedLetter<L> {
  readonly letter: L
  /** When the letter is given up, by the clock of the process. */
  readonly expiresAt: number
  /** Not before. */
  dueAt: number
  attempts: number
  lastFailure?: string
}

/** So a receiver that hangs cannot stop all deliveries, and one that was down is not overrun. */
const MOST_IN_FLIGHT = 4

/** Otherwise a thief with one redeemed key could fill the queue, so that it drops all other events. */
const MOST_OF_ONE_TOPIC = 20

/**
 * Delivers letters to one receiver, with retries. A letter that fails does not hold up the others, so their order may
 * change. The queue has a limit, and its timers do not keep the process alive.
 */
export class DeliveryQueue<L extends Letter> {
  readonly #send: (letter: L, signal: AbortSignal) => Promise<Verdict>
  readonly #settings: DeliverySettings
  readonly #aborting = new AbortController()
  readonly #waiting = new Set<QueuedLetter<L>>()
  readonly #inFlight = new Set<QueuedLetter<L>>()
  /** How many letters of each topic wait or are being sent. */
  readonly #topics = new Map<string, number>()
  readonly #counts = { delivered: 0, failedAttempts: 0, deadLetters: 0 }
  #state: DeliveryStats['state'] = 'open'
  #pausedUntil = 0
  #timer: NodeJS.Timeout | undefined
  #starting: NodeJS.Immediate | undefined

  /** @param send sends one letter once. If it rejects, the letter is retried */
  constructor(send: (letter: L, signal: AbortSignal) => Promise<Verdict>, settings: DeliverySettings) {
    this.#send = send
    this.#settings = settings
  }

  /** Accepts a letter. It is sent after the code that runs now. */
  add(letter: L): void {
    const refused = this.#refusalOf(letter)
    if (refused !== undefined) {
      this.giveUp(letter, refused)
      return
    }
    this.#count(letter, 1)
    const now = performance.now()
    const expiresAt = now + this.#settings.giveUpAfterSeconds * 1000
    this.#waiting.add({ letter, expiresAt, dueAt: now, attempts: 0 })
    this.#starting ??= setImmediate(() => {
      this.#starting = undefined
      this.#run()
    })
  }

  stats(): DeliveryStats {
    const queued = this.#waiting.size + this.#inFlight.size
    return Object.freeze({ state: this.#state, queued, ...this.#counts })
  }

  close(): void {
    this.#end('closed')
  }

  #refusalOf({ topic }: L): DeadLetterReason | undefined {
    if (this.#state !== 'open') return this.#state
    if (this.#waiting.size + this.#inFlight.size >= this.#settings.maxQueued) return 'queue_full'
    return (this.#topics.get(topic) ?? 0) >= MOST_OF_ONE_TOPIC ? 'repeated' : undefined
  }

  #count({ topic }: L, difference: 1 | -1): void {
    const count = (this.#topics.get(topic) ?? 0) + difference
    if (count === 0) this.#topics.delete(topic)
    else this.#topics.set(topic, count)
  }

  /** Counts a letter that is not delivered, and reports it. The report cannot fail or delay its caller. */
  giveUp(
    { id, type }: Pick<Letter, 'id' | 'type'>,
    reason: DeadLetterReason,
    { attempts, lastFailure }: Attempts = NONE,
  ): void {
    this.#counts.deadLetters += 1
    const detail = lastFailure === undefined ? {} : { detail: lastFailure }
    const report = async () => this.#settings.onDeadLetter({ id, type, reason, ...detail, attempts })
    queueMicrotask(() => void report().catch(() => undefined))
  }

  #drop(one: QueuedLetter<L>, reason: DeadLetterReason): void {
    this.#count(one.letter, -1)
    this.giveUp(one.letter, reason, one)
  }

  #end(state: 'gone' | 'closed'): void {
    if (this.#state !== 'open') return
    this.#state = state
    clearTimeout(this.#timer)
    clearImmediate(this.#starting)
    this.#aborting.abort()
    const left = [...this.#inFlight, ...this.#waiting]
    this.#inFlight.clear()
    this.#waiting.clear()
    for (const one of left) this.#drop(one, state)
  }

  /** Starts as many attempts as are due and allowed, and wakes up for the next one. */
  #run(): void {
    clearTimeout(this.#timer)
    while (this.#state === 'open' && this.#inFlight.size < MOST_IN_FLIGHT) {
      const next = this.#earliest()
      if (next === undefined) return
      const wait = Math.max(next.dueAt, this.#pausedUntil) - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#run(), Math.ceil(wait)).unref()
        return
      }
      this.#waiting.delete(next)
      if (performance.now() >= next.expiresAt) this.#drop(next, 'expired')
      else void this.#attempt(next)
    }
  }

  #earliest(): QueuedLetter<L> | undefined {
    let first: QueuedLetter<L> | undefined
    for (const one of this.#waiting) if (first === undefined || one.dueAt < first.dueAt) first = one
    return first
  }

  async #attempt(one: QueuedLetter<L>): Promise<void> {
    one.attempts += 1
    this.#inFlight.add(one)
    const verdict = await this.#send(one.letter, this.#aborting.signal).catch(failed)
    // After the end of the queue, all its letters are given up already.
    if (!this.#inFlight.delete(one)) return
    this.#settle(one, verdict)
    this.#run()
  }

  #settle(one: QueuedLetter<L>, verdict: Verdict): void {
    if (verdict.kind === 'delivered') {
      this.#counts.delivered += 1
      this.#count(one.letter, -1)
      return
    }
    this.#counts.failedAttempts += 1
    one.lastFailure = verdict.detail
    if (verdict.kind === 'failed') this.#retry(one, verdict.afterSeconds)
    else this.#drop(one, verdict.kind)
    if (verdict.kind === 'gone') this.#end('gone')
  }

  /** Full jitter: a random part of a time that doubles. So letters that failed together do not come back together. */
  #retry(one: QueuedLetter<L>, afterSeconds = 0): void {
    const { retryDelaySeconds, maxRetryDelaySeconds } = this.#settings
    const now = performance.now()
    this.#pausedUntil = Math.max(this.#pausedUntil, now + Math.min(afterSeconds, maxRetryDelaySeconds) * 1000)
    const longest = Math.min(maxRetryDelaySeconds, retryDelaySeconds * 2 ** (one.attempts - 1))
    one.dueAt = Math.max(this.#pausedUntil, now) + Math.random() * longest * 1000
    if (one.dueAt >= one.expiresAt) this.#drop(one, 'expired')
    else this.#waiting.add(one)
  }
}

/** The message of an error may contain a secret, so only its code is kept. */
function failed(error: unknown): Verdict {
  return { kind: 'failed', detail: systemCode(error) ?? 'FAILED' }
}

interface Attempts {
  readonly attempts: number
  readonly lastFailure?: string
}

const NONE: Attempts = { attempts: 0 }
