import { AsyncResource } from 'node:async_hooks'
import { deadline } from '../base/deadline.js'
import type { Observer, ProvisioningEvent } from '../ports/events.js'

/** The most events that wait for one observer. */
export const MOST_WAITING = 1_000

/** How long one event may occupy an observer. Then the next event is delivered. */
const LONGEST_MILLISECONDS = 10_000

interface Waiting {
  readonly event: ProvisioningEvent
  readonly onEnd: OnEnd | undefined
  /** The asynchronous context of the event, if the observer is still busy with an earlier one. */
  context?: AsyncResource
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
 * Delivers events to one observer: in order, one at a time, after the code that emitted them, and in its asynchronous
 * context. If the observer returns a promise, the next event waits for it. If too many events wait, new ones are dropped,
 * and the observer gets an event with their number instead.
 */
export class EventQueue {
  readonly #observer: Observer
  readonly #parts: QueueParts
  readonly #inTime = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'An observer' })
  #waiting: Waiting[] = []
  /** The index of the event that is delivered next. */
  #next = 0
  /** The work of the observer that the next event waits for. */
  #busy: Promise<void> | undefined
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
    // An event that a request waits for has a place of its own, so that strangers cannot fill the queue before it.
    const most = onEnd === undefined ? MOST_WAITING : 2 * MOST_WAITING
    if (this.#waiting.length - this.#next >= most) {
      this.#dropped += 1
      onEnd?.(new Error(`An observer has not taken ${most} earlier events`))
      return
    }
    const missed = this.#dropped - this.#droppedBefore
    this.#droppedBefore = this.#dropped
    if (missed > 0) this.#schedule({ event: this.#parts.gap(missed), onEnd: undefined })
    this.#schedule({ event, onEnd })
  }

  /** Resolves when the observer has taken all events, also those that come in the meantime. Never rejects. */
  async idle(): Promise<void> {
    // An event that waits for no observer waits for its own microtask, which runs before this function continues.
    while (this.#busy !== undefined || this.#waiting.length > 0) await this.#busy
  }

  /** Drops all events that wait. */
  clear(): void {
    this.#waiting = []
    this.#next = 0
  }

  /** A microtask runs in the context of the code that schedules it: a logger then finds the id of the request. */
  #schedule(one: Waiting): void {
    this.#waiting.push(one)
    queueMicrotask(() => {
      if (this.#busy !== undefined) one.context = new AsyncResource('ProvisioningEvent')
      else if (this.#waiting[this.#next] === one) this.#deliver(this.#take())
    })
  }

  #take(): Waiting {
    const one = this.#waiting[this.#next] as Waiting
    this.#next += 1
    if (this.#next === this.#waiting.length) this.clear()
    else if (this.#next >= MOST_WAITING) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    return one
  }

  /** Goes on with the events that have come in the meantime. */
  #goOn(): void {
    this.#busy = undefined
    for (let context = this.#contextOfNext(); context !== undefined; context = this.#contextOfNext())
      context.runInAsyncScope(() => this.#deliver(this.#take()))
  }

  /** `undefined` if no event waits, or if its own microtask is still to come, or if the observer is busy again. */
  #contextOfNext(): AsyncResource | undefined {
    return this.#busy !== undefined ? undefined : this.#waiting[this.#next]?.context
  }

  #deliver({ event, onEnd }: Waiting): void {
    try {
      const result = this.#observer(event)
      if (isThenable(result)) this.#await(result, onEnd)
      else onEnd?.()
    } catch (fault) {
      this.#fail(fault, onEnd)
    }
  }

  #await(result: PromiseLike<unknown>, onEnd: OnEnd | undefined): void {
    this.#busy = this.#inTime(async () => void (await result))
      .then(
        () => onEnd?.(),
        (fault) => this.#fail(fault, onEnd),
      )
      .finally(() => this.#goOn())
  }

  #fail(fault: unknown, onEnd: OnEnd | undefined): void {
    onEnd?.(new Error('An observer failed', { cause: fault }))
    this.#parts.onFault(this.#observer, fault)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
