import type { ProvisioningStore } from '../ports/store.js'
import { type EventRecorderParts, eventRecorder, type RecordEvent } from './event-recorder.js'
import { measuredStore } from './measured-store.js'
import { Meters } from './meters.js'
import type { MeterProviderLike, TracerProviderLike } from './providers.js'
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
