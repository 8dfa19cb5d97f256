import { deadline } from '../base/deadline.js'
import { closest } from '../base/faults.js'
import {
  codeOf,
  type Emit,
  type EmitAudited,
  type EventDetails,
  type EventOf,
  type EventType,
  type Observer,
  type ProvisioningEvent,
  SEVERITY,
} from '../ports/events.js'
import { EventQueue, type OnEnd, type QueueParts } from './event-queue.js'
import type { RecordEvent } from './event-recorder.js'
import { type EventSource, sourceDescriber } from './event-source.js'
import type { Monitor } from './monitor.js'

/** The subscriptions of one deployment. */
export interface EventHub {
  readonly emit: Emit
  readonly emitAudited: EmitAudited
  /** Subscribes to one type of event, or to `'*'` for all. Returns the function that ends the subscription. */
  on<T extends EventType>(type: T, observer: Observer<EventOf<T>>): () => void
  on(type: '*', observer: Observer): () => void
  /** How many events were dropped, because an observer was too slow. */
  droppedEvents(): number
  /** Resolves when all observers have taken all events. An observer that hangs delays it. Never rejects. */
  idle(): Promise<unknown>
  /** Lets a monitor look at each event before the observers. */
  watch(monitor: Monitor): void
}

/** The parts of an event hub. */
export interface EventHubOptions {
  /** The time in milliseconds. */
  readonly now: () => number
  /** Receives the first error of each observer. */
  readonly onFault: (fault: unknown) => void
  /** Is called for each event that no observer receives. */
  readonly onUnheard?: (type: EventType) => void
  /** Counts each event, also those that no observer receives. Must not throw. */
  readonly record?: RecordEvent | undefined
  /** An observer of all events. With `failClosed`, some requests wait for it. */
  readonly audit?: { readonly sink: Observer; readonly failClosed: boolean } | undefined
}

export function eventHub(options: EventHubOptions): EventHub {
  const { now, onFault, onUnheard = () => undefined, record, audit } = options
  const describeSource = sourceDescriber()
  const subscriptions = new Subscriptions({
    onFault: firstFaultOfEach(onFault),
    gap: (count) => newEvent('events.dropped', now(), { count }),
  })
  const audited = audit && subscriptions.add('*', audit.sink)
  const auditInTime = deadline({ milliseconds: LONGEST_AUDIT_MILLISECONDS, who: 'The audit log' })
  const monitored = monitorSlot(onFault)

  const dispatch = (...[type, details, source, onAudited]: [...Parameters<Emit>, onAudited?: OnEnd]) => {
    record?.(type, details)
    const isHeard = subscriptions.has(type)
    if (!isHeard) onUnheard(type)
    if (!isHeard && !monitored.watches(type)) return
    const event = newEvent(type, now(), details, source && describeSource(source))
    if (monitored.inspect(event))
      subscriptions.deliver(event, (queue) => (queue === audited ? onAudited : undefined))
    else onAudited?.()
  }

  return {
    emit: (type, details, source) => dispatch(type, details, source),
    emitAudited(type, details, source) {
      if (!audit?.failClosed) return void dispatch(type, details, source)
      return auditInTime(() => promised((onEnd) => dispatch(type, details, source, onEnd)))
    },
    on(type: string, observer: Observer<never>) {
      requireSubscription(type, observer)
      const queue = subscriptions.add(type, observer as Observer)
      return () => subscriptions.end(type, queue)
    },
    droppedEvents: () => subscriptions.dropped,
    idle: () => subscriptions.idle(),
    watch: (monitor) => monitored.set(monitor),
  }
}

/** The place of a monitor. One that fails must neither fail the request nor hide the event. */
function monitorSlot(onFault: (fault: unknown) => void): Monitor & { set(monitor: Monitor): void } {
  let monitor: Monitor | undefined
  return {
    set(given) {
      monitor = given
    },
    watches: (type) => monitor?.watches(type) ?? false,
    inspect(event) {
      try {
        return monitor?.inspect(event) ?? true
      } catch (fault) {
        onFault(fault)
        return true
      }
    },
  }
}

/** A request waits so long for the audit log, also if other events are before its own. */
const LONGEST_AUDIT_MILLISECONDS = 10_000

/** Resolves or rejects as a delivery ends. */
function promised(deliver: (onEnd: OnEnd) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    deliver((error) => (error === undefined ? resolve() : reject(error)))
  })
}

/** The queues of all observers, by the type of event that they receive. */
class Subscriptions {
  readonly #parts: QueueParts
  readonly #queues = new Map<string, Set<EventQueue>>()
  /** The dropped events of subscriptions that have ended. */
  #droppedBefore = 0

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  get dropped(): number {
    let sum = this.#droppedBefore
    for (const set of this.#queues.values()) for (const { dropped } of set) sum += dropped
    return sum
  }

  idle(): Promise<unknown> {
    return Promise.all([...this.#queues.values()].flatMap((set) => [...set].map((queue) => queue.idle())))
  }

  has(type: string): boolean {
    return this.#queues.has(type) || this.#queues.has('*')
  }

  deliver(event: ProvisioningEvent, onEndOf: (queue: EventQueue) => OnEnd | undefined): void {
    for (const set of [this.#queues.get(event.type), this.#queues.get('*')])
      for (const queue of set ?? []) queue.add(event, onEndOf(queue))
  }

  add(type: string, observer: Observer): EventQueue {
    const queue = new EventQueue(observer, this.#parts)
    this.#queues.set(type, (this.#queues.get(type) ?? new Set()).add(queue))
    return queue
  }

  end(type: string, queue: EventQueue): void {
    const set = this.#queues.get(type)
    if (!set?.delete(queue)) return
    if (set.size === 0) this.#queues.delete(type)
    queue.clear()
    this.#droppedBefore += queue.dropped
  }
}

/** An observer may fail on every request, so only its first fault is reported. */
function firstFaultOfEach(onFault: (fault: unknown) => void): QueueParts['onFault'] {
  const faulty = new WeakSet<Observer>()
  return (observer, fault) => {
    if (faulty.has(observer)) return
    faulty.add(observer)
    try {
      onFault(fault)
    } catch {
      // A failed report must not fail the request either.
    }
  }
}

function requireSubscription(type: unknown, observer: unknown): void {
  const known = Object.keys(SEVERITY)
  const name = String(type)
  if (type !== '*' && !known.includes(name)) {
    const meant = closest(name, known)
    const expected =
      meant === undefined ? `one of ${known.join(', ')} or *,` : `an event; did you mean ${meant}?`
    throw new TypeError(`on: expected ${expected} got ${name}`)
  }
  if (typeof observer !== 'function')
    throw new TypeError(`on: expected a function that receives events, got ${typeof observer}`)
}

/** A frozen event with frozen copies of its lists, so that no observer can change the data of a request. */
function newEvent<T extends EventType>(
  type: T,
  now: number,
  details: EventDetails[T],
  source?: EventSource,
): ProvisioningEvent {
  const envelope = { type, code: codeOf(type, details), at: new Date(now), severity: SEVERITY[type] }
  const event: Record<string, unknown> = { ...envelope, ...details, ...source }
  // Most events have no list, and then this takes 1 us less than a copy of all members.
  for (const name in event) {
    const value = event[name]
    if (Array.isArray(value)) event[name] = Object.freeze([...value])
  }
  return Object.freeze(event) as unknown as ProvisioningEvent
}
