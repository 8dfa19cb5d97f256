import type { HistogramMetric, Metric } from './metrics.js'
import type {
  AddingInstrument,
  Attributes,
  MeterLike,
  MeterProviderLike,
  RecordingInstrument,
} from './providers.js'

/** The instrumentation scope. */
export const SCOPE = { name: 'express-provisioning-keys', version: '0.1.0' } as const

/** Makes the instruments of one meter. They are safe to use in a request. */
export class Meters {
  readonly #meter: MeterLike

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

  /**
   * Calls a function when the metrics are collected, before they are read. An asynchronous instrument does this, which
   * never has a value. Asynchronous counters would not do instead: if one process has two instances of this library, the
   * values of one replace those of the other.
   */
  onCollection(report: () => void): void {
    const description = 'Never has a value'
    const trigger = this.#meter.createObservableGauge('provisioning_key.collection', {
      description,
      unit: '1',
    })
    trigger.addCallback(report)
  }
}

function optionsOf({ description, unit }: Metric) {
  return { description, unit }
}
