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
    const event = Object.freeze({ type, at: new Date(now()), severity: SEVERITY[type], ...frozen(details) })
    for (const observer of listening)
      void deliver(observer as Observer, event as unknown as ProvisioningEvent, noteFault)
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
async function deliver(observer: Observer, event: ProvisioningEvent, noteFault: NoteFault): Promise<void> {
  try {
    await observer(event)
  } catch (fault) {
    noteFault(observer, fault)
  }
}

function requireSubscription(type: unknown, observer: unknown): void {
  if (type !== '*' && !Object.hasOwn(SEVERITY, String(type)))
    throw new TypeError(`on: expected one of ${Object.keys(SEVERITY).join(', ')} or *, got ${String(type)}`)
  if (typeof observer !== 'function')
    throw new TypeError(`on: expected a function that receives events, got ${typeof observer}`)
}

/** The details with frozen copies of their lists, so that no observer can change the data of a request. */
function frozen<T extends object>(details: T): T {
  const entries = Object.entries(details)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? Object.freeze([...value]) : value]),
  ) as T
}
