import {
  type Emit,
  type EventDetails,
  type EventOf,
  type EventType,
  type Observer,
  type ProvisioningEvent,
  SEVERITY,
} from '../ports/events.js'

/** The subscriptions of one instance. */
export interface EventHub {
  readonly emit: Emit
  /** Subscribes to one type, or to `'*'` for all; answers with the function that ends it. */
  on<T extends EventType>(type: T, observer: Observer<EventOf<T>>): () => void
  on(type: '*', observer: Observer): () => void
}

/** Makes the subscriptions of one instance. `onFault` receives the first fault of each observer. */
export function eventHub(now: () => number, onFault: (fault: unknown) => void): EventHub {
  const observers = new Map<string, Set<Observer<never>>>()

  const faulty = new WeakSet<Observer>()

  function noteFault(observer: Observer, fault: unknown): void {
    if (faulty.has(observer)) return
    faulty.add(observer)
    try {
      onFault(fault)
    } catch {
      // A fault that cannot be reported must not fail the request either.
    }
  }

  function deliver(observer: Observer, event: ProvisioningEvent): void {
    try {
      Promise.resolve(observer(event)).catch((fault) => noteFault(observer, fault))
    } catch (fault) {
      noteFault(observer, fault)
    }
  }

  function emit<T extends EventType>(type: T, details: EventDetails[T]): void {
    const listening = [...(observers.get(type) ?? []), ...(observers.get('*') ?? [])]
    if (listening.length === 0) return
    const event = Object.freeze({ type, at: new Date(now()), severity: SEVERITY[type], ...frozen(details) })
    for (const observer of listening) deliver(observer as Observer, event as unknown as ProvisioningEvent)
  }

  function on(type: string, observer: Observer<never>): () => void {
    if (type !== '*' && !Object.hasOwn(SEVERITY, type)) {
      throw new TypeError(`on: expected one of ${Object.keys(SEVERITY).join(', ')} or *, got ${String(type)}`)
    }
    if (typeof observer !== 'function') {
      throw new TypeError(`on: expected a function that is told of events, got ${typeof observer}`)
    }
    const set = observers.get(type) ?? new Set()
    observers.set(type, set.add(observer))
    return () => void set.delete(observer)
  }

  return { emit, on }
}

/** The details with copies of their lists, so that no observer can change what others go on working with. */
function frozen<T extends object>(details: T): T {
  const entries = Object.entries(details)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? Object.freeze([...value]) : value]),
  ) as T
}
