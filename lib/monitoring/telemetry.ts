import type { ProvisioningStore } from '../ports/store.js'
import { wrapVerbs } from '../ports/store-verbs.js'
import { type EventRecorderParts, eventRecorder, type RecordEvent } from './event-recorder.js'
import { Meters } from './meters.js'
import { attributesOf, STORE_DURATION } from './metrics.js'
import type { Attributes, MeterProviderLike, TracerProviderLike } from './providers.js'
import { type UseCaseRecorder, useCaseRecorder } from './use-case-recorder.js'

/**
 * Where metrics and traces go. Without a provider, the library measures and traces nothing.
 *
 * @example
 * import { metrics, trace } from '@opentelemetry/api'
 * const telemetry: TelemetryOptions = { meterProvider: metrics, tracerProvider: trace }
 */
export interface TelemetryOptions {
  /**
   * Receives metrics: the `metrics` of `@opentelemetry/api`, or a `MeterProvider` of its SDK. Default: no metrics.
   * @example (await import('@opentelemetry/api')).metrics
   */
  readonly meterProvider?: MeterProviderLike
  /**
   * Receives traces: the `trace` of `@opentelemetry/api`, or a `TracerProvider` of its SDK. Default: no traces.
   * @example (await import('@opentelemetry/api')).trace
   */
  readonly tracerProvider?: TracerProviderLike
}

/** Measures and traces one deployment. */
export interface Telemetry {
  readonly recordEvent: RecordEvent | undefined
  readonly useCases: UseCaseRecorder
  /** The store, with a measurement of each verb. */
  measure(store: ProvisioningStore): ProvisioningStore
}

export function telemetryOf(
  { meterProvider, tracerProvider }: TelemetryOptions,
  parts: EventRecorderParts,
): Telemetry {
  const meters = meterProvider && new Meters(meterProvider)
  return {
    recordEvent: meters && eventRecorder(meters, parts),
    useCases: useCaseRecorder(meters, tracerProvider),
    measure: (store) => (meters === undefined ? store : measuredStore(store, meters)),
  }
}

/** Measures how long each verb of a store takes. */
function measuredStore(store: ProvisioningStore, meters: Meters): ProvisioningStore {
  const histogram = meters.histogram(STORE_DURATION)
  return wrapVerbs(store, (call, verb) => {
    const attributes = new Map<string, Attributes>()
    const record = (begun: number, outcome: string) => {
      const known = attributes.get(outcome) ?? attributesOf(STORE_DURATION, [verb, outcome])
      attributes.set(outcome, known)
      histogram.record((performance.now() - begun) / 1000, known)
    }
    return async (...given) => {
      const begun = performance.now()
      try {
        const answer = await call(...given)
        record(begun, outcomeOf(verb, answer))
        return answer
      } catch (error) {
        record(begun, 'failed')
        throw error
      }
    }
  })
}

/** The word that a verb answers. Other verbs answer an object, a list, or nothing. */
function outcomeOf(verb: keyof ProvisioningStore, answer: unknown): string {
  if (typeof answer === 'string') return answer
  if (verb !== 'find' && verb !== 'recall') return 'answered'
  return answer === undefined ? 'absent' : 'found'
}
