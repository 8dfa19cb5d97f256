import type { HistogramMetric, Metric } from './metrics.js'
import type {
  AddingInstrument,
  Attributes,
  MeterLike,
  MeterProviderLike,
  ObservableInstrument,
  RecordingInstrument,
} from './providers.js'

/** The instrumentation scope. */
export const SCOPE = { name: 'express-provisioning-keys', version: '0.1.0' } as const

/**
 * An asynchronous instrument, whose callback reports what was counted. It never has a value, so no exporter prints it.
 * Asynchronous counters would not do: if one process has two deployments, the values of one replace those of the other.
 */
const COLLECTION: Metric = {
  name: 'provisioning_key.collection',
  unit: '1',
  description: 'Never has a value',
  attributes: [],
}

/** Makes the instruments of one meter. They are safe to use in a request. */
export class Meters {
  readonly #meter: MeterLike
  #collection: ObservableInstrument | undefined

  constructor(provider: MeterProviderLike) {
    this.#meter = provider.getMeter(SCOPE.name, SCOPE.version)
  }

  counter(metric: Metric): AddingInstrument {
    return this.#meter.createCounter(metric.name, optionsOf(metric))
  }

  upDownCounter(metric: Metric): AddingInstrument {
    return this.#meter.createUpDownCounter(metric.name, optionsOf(metric))
  }

  histogram(metric: HistogramMetric): RecordingInstrument {
    const advice = { explicitBucketBoundaries: [...metric.buckets] }
    const histogram = this.#meter.createHistogram(metric.name, { ...optionsOf(metric), advice })
    return {
      record(value: number, attributes?: Attributes) {
        try {
          histogram.record(value, attributes)
        } catch {
          // OpenTelemetry promises never to throw. A provider that does must not make a request fail.
        }
      },
    }
  }

  /** Calls a function when the metrics are collected, before they are read. */
  onCollection(report: () => void): void {
    this.#collection ??= this.#meter.createObservableGauge(COLLECTION.name, optionsOf(COLLECTION))
    this.#collection.addCallback(report)
  }
}

function optionsOf({ description, unit }: Metric) {
  return { description, unit }
}
