import {
  type Emit,
  type EventDetails,
  type EventOf,
  type EventType,
  type Observer,
  type ProvisioningEvent,
  SEVERITY,
} from '../ports/events.js'

/** The subscriptions of one deployment. */
export interface EventHub {
  readonly emit: Emit
  /** Subscribes to one type of event, or to `'*'` for all. Returns the function that ends the subscription. */
  on<T extends EventType>(type: T, observer: Observer<EventOf<T>>): () => void
  on(type: '*', observer: Observer): () => void
}

/**
 * @param now the time in milliseconds
 * @param onFault receives the first error of each observer
 * @param onUnheard is called for each event that no observer receives
 */
export function eventHub(
  now: () => number,
  onFault: (fault: unknown) => void,
  onUnheard: (type: EventType) => void = () => undefined,
): EventHub {
  const observers = new Map<string, Set<Observer<never>>>()
  const noteFault = firstFaultOfEach(onFault)

  function emit<T extends EventType>(type: T, details: EventDetails[T]): void {
    const listening = [...(observers.get(type) ?? []), ...(observers.get('*') ?? [])]
    if (listening.length === 0) {
      onUnheard(type)
      return
    }
    const event = frozenEvent(type, now(), details)
    for (const observer of listening)
      deliver(observer as Observer, event as unknown as ProvisioningEvent, noteFault)
  }

  function on(type: string, observer: Observer<never>): () => void {
    requireSubscription(type, observer)
    const set = observers.get(type) ?? new Set()
    observers.set(type, set.add(observer))
    return () => void set.delete(observer)
  }

  return { emit, on }
}

type NoteFault = (observer: Observer, fault: unknown) => void

/** An observer may fail on every request, so only its first fault is reported. */
function firstFaultOfEach(onFault: (fault: unknown) => void): NoteFault {
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

/** Calls an observer immediately. The request does not wait for its promise, and does not fail with it. */
function deliver(observer: Observer, event: ProvisioningEvent, noteFault: NoteFault): void {
  const note = (fault: unknown) => noteFault(observer, fault)
  try {
    const result = observer(event)
    if (typeof result === 'object' && result !== null) void Promise.resolve(result).catch(note)
  } catch (fault) {
    note(fault)
  }
}

function requireSubscription(type: unknown, observer: unknown): void {
  if (type !== '*' && !Object.hasOwn(SEVERITY, String(type)))
    throw new TypeError(`on: expected one of ${Object.keys(SEVERITY).join(', ')} or *, got ${String(type)}`)
  if (typeof observer !== 'function')
    throw new TypeError(`on: expected a function that receives events, got ${typeof observer}`)
}

/** A frozen event with frozen copies of its lists, so that no observer can change the data of a request. */
function frozenEvent(type: EventType, now: number, details: object): object {
  const event: Record<string, unknown> = { type, at: new Date(now), severity: SEVERITY[type], ...details }
  // Most events have no list, and then this takes 1 us less than a copy of all members.
  for (const name in event) {
    const value = event[name]
    if (Array.isArray(value)) event[name] = Object.freeze([...value])
  }
  return Object.freeze(event)
}
