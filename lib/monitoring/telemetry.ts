import type { ProvisioningStore } from '../ports/store.js'
import { type EventRecorderParts, eventRecorder, type RecordEvent } from './event-recorder.js'
import { measuredStore } from './measured-store.js'
import { Meters } from './meters.js'
import type { MeterProviderLike, TracerProviderLike } from './providers.js'
import { type UseCaseRecorder, useCaseRecorder } from './use-case-recorder.js'

/** Where metrics and traces go. */
export interface TelemetryProviders {
  readonly meterProvider?: MeterProviderLike
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
  { meterProvider, tracerProvider }: TelemetryProviders,
  parts: EventRecorderParts,
): Telemetry {
  const meters = meterProvider && new Meters(meterProvider)
  return {
    recordEvent: meters && eventRecorder(meters, parts),
    useCases: useCaseRecorder(meters, tracerProvider),
    measure: (store) => (meters === undefined ? store : measuredStore(store, meters)),
  }
}
