import { randomBytes } from 'node:crypto'
import type { EventHub } from '../monitoring/event-hub.js'
import type { IssuedKeyRef } from '../operations/operations.js'
import { type EventType, type Observer, type ProvisioningEvent, SEVERITY } from '../ports/events.js'

/** An event as the API shows it. */
export type LoggedEvent = Readonly<Record<string, unknown>> & {
  /** The process, and the number of the event in it. */
  readonly id: string
  readonly type: EventType
  /** NumericDate, with milliseconds. */
  readonly at: number
}

/**
 * These events come with every request to a guard. To log them would cost the guard 2 us, and would push out all others.
 */
const NOT_LOGGED: ReadonlySet<EventType> = new Set(['key.verified', 'token.verified'])

/** How many events the log keeps: strangers can cause refusals, so these have a place of their own. */
const CAPACITY = { refusals: 500, others: 1_000 }

/** The last events of this process. */
export class EventLog {
  readonly #refusals = new Ring<LoggedEvent>(CAPACITY.refusals)
  readonly #others = new Ring<LoggedEvent>(CAPACITY.others)
  readonly #listeners = new Set<(event: LoggedEvent) => void>()
  /** Distinguishes the events of this process from those of others and of earlier runs. */
  readonly #process = randomBytes(6).toString('base64url')
  #count = 0

  constructor(on: EventHub['on']) {
    const subscribe = on as (type: EventType, observer: Observer) => unknown
    for (const type of Object.keys(SEVERITY) as EventType[])
      if (!NOT_LOGGED.has(type)) subscribe(type, (event) => this.#add(event))
  }

  /** The events after one event of this process, the oldest first. All events, if the id is from elsewhere. */
  after(id: string | undefined): readonly LoggedEvent[] {
    const [process, number] = id?.split('.') ?? []
    const last = process === this.#process ? Number(number) : 0
    return this.#select((event) => numberOf(event) > last)
  }

  /** The events that name a key, the oldest first. */
  ofKey({ clientId, keyId }: IssuedKeyRef): readonly LoggedEvent[] {
    return this.#select(
      (event) => event.keyId === keyId && [undefined, clientId].includes(event.clientId as string),
    )
  }

  /** Calls a function with each later event. Returns the function that ends this. */
  watch(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #select(accepts: (event: LoggedEvent) => boolean): readonly LoggedEvent[] {
    return [...this.#refusals, ...this.#others].filter(accepts).sort((a, b) => numberOf(a) - numberOf(b))
  }

  #add(event: ProvisioningEvent): void {
    this.#count += 1
    const logged: LoggedEvent = {
      ...event,
      id: `${this.#process}.${this.#count}`,
      at: event.at.getTime() / 1000,
    }
    const ring = event.type === 'request.refused' ? this.#refusals : this.#others
    ring.add(logged)
    for (const listener of this.#listeners) listener(logged)
  }
}

function numberOf({ id }: LoggedEvent): number {
  return Number(id.split('.')[1])
}

/** The last entries of a list. */
export class Ring<T> {
  readonly #entries: T[] = []
  readonly #capacity: number
  #next = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  add(entry: T): void {
    this.#entries[this.#next] = entry
    this.#next = (this.#next + 1) % this.#capacity
  }

  /** The oldest first. */
  *[Symbol.iterator](): Generator<T> {
    const { length } = this.#entries
    const first = length < this.#capacity ? 0 : this.#next
    for (let i = 0; i < length; i += 1) yield this.#entries[(first + i) % length] as T
  }
}
