import type { EventDetails, EventType } from '../ports/events.js'
import { attributesOf, type CountedRule, EVENT_COUNTERS, type EventCounter } from './metrics.js'
import type { AddingInstrument, Attributes } from './providers.js'

/** The events of one type. */
interface TypeCount {
  /** How many were not reported yet. */
  pending: number
  /** Reports them to the counters whose attributes are the same for all events of this type. */
  readonly reports: ((pending: number) => void)[]
  /** Counts one in the counters whose attributes depend on its details. */
  readonly adds: ((details: EventDetails[EventType]) => void)[]
}

/**
 * Counts events in plain numbers, and reports them when metrics are collected. An SDK needs 0.5 us to find the time
 * series of a measurement, and a guard needs 7 us for a whole request.
 */
export class EventCounts {
  readonly #types = new Map<EventType, TypeCount>()
  readonly #reports: (() => void)[] = []

  /** @param rules the active rules */
  constructor(instrumentOf: (counter: EventCounter) => AddingInstrument, rules: readonly CountedRule[]) {
    for (const counter of EVENT_COUNTERS) this.#count(counter, instrumentOf(counter), rules)
  }

  add(type: EventType, details: EventDetails[EventType]): void {
    const count = this.#types.get(type)
    if (count === undefined) return
    count.pending += 1
    for (const addOne of count.adds) addOne(details)
  }

  /** Adds everything that was counted since the last report to the instruments. */
  report(): void {
    for (const { pending, reports } of this.#types.values())
      for (const reportOne of reports) reportOne(pending)
    for (const count of this.#types.values()) count.pending = 0
    for (const reportOne of this.#reports) reportOne()
  }

  #count(counter: EventCounter, instrument: AddingInstrument, rules: readonly CountedRule[]): void {
    const byAttributes = new AttributeCounts(counter, instrument)
    for (const values of counter.starts?.(rules) ?? []) byAttributes.add(values, 0)
    this.#reports.push(() => byAttributes.report())
    for (const [type, values] of Object.entries(counter.counts)) {
      const { reports, adds } = this.#typeCount(type as EventType)
      if (typeof values === 'function')
        adds.push((details) => byAttributes.add((values as (given: typeof details) => Values)(details)))
      else reports.push(reporterOf(instrument, attributesOf(counter, values)))
    }
  }

  #typeCount(type: EventType): TypeCount {
    const count = this.#types.get(type) ?? { pending: 0, reports: [], adds: [] }
    this.#types.set(type, count)
    return count
  }
}

type Values = readonly string[]

/** Reports 0 too. Otherwise Prometheus would not notice the first event, because it had no value to compare with. */
function reporterOf(instrument: AddingInstrument, attributes: Attributes): (pending: number) => void {
  return (pending) => instrument.add(pending, attributes)
}

/** Counts events by attributes that depend on their details. */
class AttributeCounts {
  readonly #counter: EventCounter
  readonly #instrument: AddingInstrument
  readonly #counts = new Map<string, { readonly attributes: Attributes; pending: number }>()

  constructor(counter: EventCounter, instrument: AddingInstrument) {
    this.#counter = counter
    this.#instrument = instrument
  }

  add(values: Values, events = 1): void {
    const name = values.join(' ')
    const count = this.#counts.get(name) ?? { attributes: attributesOf(this.#counter, values), pending: 0 }
    count.pending += events
    this.#counts.set(name, count)
  }

  report(): void {
    for (const count of this.#counts.values()) {
      this.#instrument.add(count.pending, count.attributes)
      count.pending = 0
    }
  }
}
