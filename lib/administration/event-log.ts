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

/** Strangers can cause these events, so they have a place of their own. */
const OF_STRANGERS: ReadonlySet<EventType> = new Set([
  'request.refused',
  'administration.refused',
  'refusals.summarized',
])

/** How many events the log keeps. */
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

  /**
   * The last events after one event of this process, the oldest first. If the id is from elsewhere, the last of all events.
   * If there are too many, strangers have caused at most half of them.
   */
  after(id: string | undefined, most: number): readonly LoggedEvent[] {
    const [process, number] = id?.split('.') ?? []
    const last = process === this.#process ? Number(number) : 0
    const isLater = (event: LoggedEvent) => numberOf(event) > last
    const [refusals, others] = [[...this.#refusals].filter(isLater), [...this.#others].filter(isLater)]
    const left = Math.max(Math.floor(most / 2), most - others.length)
    const latest = refusals.slice(-left)
    return [...latest, ...others.slice(latest.length - most)].sort(byNumber)
  }

  /** The events that name a key, the oldest first. */
  ofKey({ clientId, keyId }: IssuedKeyRef): readonly LoggedEvent[] {
    const isOfKey = (event: LoggedEvent) =>
      event.keyId === keyId && [undefined, clientId].includes(event.clientId as string)
    return [...this.#refusals, ...this.#others].filter(isOfKey).sort(byNumber)
  }

  /** Calls a function with each later event. Returns the function that ends this. */
  watch(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #add(event: ProvisioningEvent): void {
    this.#count += 1
    const logged: LoggedEvent = {
      ...event,
      id: `${this.#process}.${this.#count}`,
      at: event.at.getTime() / 1000,
    }
    const ring = OF_STRANGERS.has(event.type) ? this.#refusals : this.#others
    ring.add(logged)
    for (const listener of this.#listeners) listener(logged)
  }
}

function byNumber(one: LoggedEvent, other: LoggedEvent): number {
  return numberOf(one) - numberOf(other)
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
