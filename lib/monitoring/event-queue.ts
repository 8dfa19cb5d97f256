import { deadline } from '../base/deadline.js'
import type { Observer, ProvisioningEvent } from '../ports/events.js'

/** The most events that wait for one observer. */
export const MOST_WAITING = 1_000

/** How long one event may occupy an observer. Then the next event is delivered. */
const LONGEST_MILLISECONDS = 10_000

interface Waiting {
  readonly event: ProvisioningEvent
  readonly onEnd: OnEnd | undefined
}

/** Hears how a delivery ended: with an error, or without one. */
export type OnEnd = (error?: Error) => void

/** The parts of a queue that are the same for all observers. */
export interface QueueParts {
  /** Receives the errors of an observer. */
  readonly onFault: (observer: Observer, fault: unknown) => void
  /** Makes the event that tells an observer how many events it has missed. */
  readonly gap: (count: number) => ProvisioningEvent
}

/**
 * Delivers events to one observer: in order, one at a time, and after the code that emitted them. If the observer
 * returns a promise, the next event waits for it. If too many events wait, new ones are dropped, and the observer gets
 * an event with their number instead.
 */
export class EventQueue {
  readonly #observer: Observer
  readonly #parts: QueueParts
  readonly #inTime = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'An observer' })
  #waiting: Waiting[] = []
  /** The index of the event that is delivered next. */
  #next = 0
  #isDelivering = false
  #dropped = 0
  #droppedBefore = 0

  constructor(observer: Observer, parts: QueueParts) {
    this.#observer = observer
    this.#parts = parts
  }

  /** How many events were dropped, because too many waited. */
  get dropped(): number {
    return this.#dropped
  }

  add(event: ProvisioningEvent, onEnd?: OnEnd): void {
    if (this.#waiting.length - this.#next >= MOST_WAITING) {
      this.#dropped += 1
      onEnd?.(new Error(`An observer has not taken ${MOST_WAITING} earlier events`))
      return
    }
    const missed = this.#dropped - this.#droppedBefore
    this.#droppedBefore = this.#dropped
    if (missed > 0) this.#waiting.push({ event: this.#parts.gap(missed), onEnd: undefined })
    this.#waiting.push({ event, onEnd })
    if (this.#isDelivering) return
    this.#isDelivering = true
    queueMicrotask(() => void this.#deliverAll())
  }

  /** Drops all events that wait. */
  clear(): void {
    this.#waiting = []
    this.#next = 0
  }

  async #deliverAll(): Promise<void> {
    for (let one = this.#take(); one !== undefined; one = this.#take()) {
      const pending = this.#deliver(one)
      if (pending !== undefined) await pending
    }
    this.#isDelivering = false
  }

  #take(): Waiting | undefined {
    const one = this.#waiting[this.#next]
    this.#next += 1
    if (one === undefined) this.clear()
    else if (this.#next >= MOST_WAITING) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    return one
  }

  /** Returns a promise only if the observer does: to await nothing costs a turn. */
  #deliver({ event, onEnd }: Waiting): Promise<void> | undefined {
    try {
      const result = this.#observer(event)
      if (isThenable(result)) return this.#finish(result, onEnd)
      onEnd?.()
    } catch (fault) {
      this.#fail(fault, onEnd)
    }
    return undefined
  }

  async #finish(result: PromiseLike<unknown>, onEnd: OnEnd | undefined): Promise<void> {
    try {
      await this.#inTime(async () => void (await result))
      onEnd?.()
    } catch (fault) {
      this.#fail(fault, onEnd)
    }
  }

  #fail(fault: unknown, onEnd: OnEnd | undefined): void {
    onEnd?.(new Error('An observer failed', { cause: fault }))
    this.#parts.onFault(this.#observer, fault)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
