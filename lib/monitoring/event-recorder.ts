import type { EventDetails, EventType } from '../ports/events.js'
import { EventCounts } from './event-counts.js'
import type { Meters } from './meters.js'
import { type CountedRule, DROPPED_EVENTS, KEY_AGE, OUTSTANDING, USE_CASES } from './metrics.js'
import { OutstandingKeys } from './outstanding-keys.js'

/** Receives each event when it is emitted, before all observers. Must not throw. */
export type RecordEvent = <T extends EventType>(type: T, details: EventDetails[T]) => void

/** The parts of a deployment that the metrics of its events read. */
export interface EventRecorderParts {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly droppedEvents: () => number
  /** The active rules. */
  readonly rules: readonly CountedRule[]
}

/** Makes the metrics that are counted from events. */
export function eventRecorder(
  meters: Meters,
  { now, droppedEvents, rules }: EventRecorderParts,
): RecordEvent {
  const counts = new EventCounts((metric) => meters.counter(metric), rules)
  const outstanding = new OutstandingKeys()
  const outstandingKeys = meters.upDownCounter(OUTSTANDING)
  const dropped = meters.counter(DROPPED_EVENTS)
  const keyAge = meters.histogram(KEY_AGE)
  let reportedDropped = 0

  meters.onCollection(() => {
    counts.report()
    outstandingKeys.add(outstanding.change(now() / 1000))
    const count = droppedEvents()
    dropped.add(count - reportedDropped)
    reportedDropped = count
  })

  const others: { readonly [T in EventType]?: (details: EventDetails[T]) => void } = {
    'key.issued': ({ expiresAt }) => outstanding.add(expiresAt, 1, now() / 1000),
    'key.redeemed'({ issuedAt, expiresAt, action }) {
      const seconds = now() / 1000
      outstanding.add(expiresAt, -1, seconds)
      keyAge.record(Math.max(0, seconds - issuedAt), USE_CASES[action].attributes)
    },
  }
  return (type, details) => {
    counts.add(type, details)
    others[type]?.(details)
  }
}
