/*
 * The parts of the OpenTelemetry API that this library uses. They are written here, so that the library compiles and
 * runs without `@opentelemetry/api`. A test compares them with its types.
 */

/** The attributes of a measurement or of a span. Their values come from closed unions, or are identifiers. */
export type Attributes = { readonly [name: string]: string }

/**
 * Makes the instruments of metrics: the `metrics` of `@opentelemetry/api`, or a `MeterProvider` of an SDK.
 *
 * @example
 * function meterOf(provider: MeterProviderLike) {
 *   return provider.getMeter('express-provisioning-keys')
 * }
 */
export interface MeterProviderLike {
  getMeter(name: string, version?: string): MeterLike
}

/** A `Meter` of `@opentelemetry/api`. */
export interface MeterLike {
  createCounter(name: string, options: InstrumentOptions): AddingInstrument
  createUpDownCounter(name: string, options: InstrumentOptions): AddingInstrument
  createHistogram(name: string, options: InstrumentOptions): RecordingInstrument
  createObservableGauge(name: string, options: InstrumentOptions): ObservableInstrument
}

interface InstrumentOptions {
  readonly description: string
  readonly unit: string
  readonly advice?: { explicitBucketBoundaries: number[] }
}

/** A `Counter` or an `UpDownCounter`. */
export interface AddingInstrument {
  add(value: number, attributes?: Attributes): void
}

/** A `Histogram`. */
export interface RecordingInstrument {
  record(value: number, attributes?: Attributes): void
}

/** An `ObservableGauge`. */
export interface ObservableInstrument {
  addCallback(callback: () => void): void
}

/**
 * Makes spans: the `trace` of `@opentelemetry/api`, or a `TracerProvider` of an SDK.
 *
 * @example
 * function tracerOf(provider: TracerProviderLike) {
 *   return provider.getTracer('express-provisioning-keys')
 * }
 */
export interface TracerProviderLike {
  getTracer(name: string, version?: string): TracerLike
}

/** A `Tracer` of `@opentelemetry/api`. */
export interface TracerLike {
  startActiveSpan<T>(name: string, options: { attributes: Attributes }, act: (span: SpanLike) => T): T
}

/** A `Span` of `@opentelemetry/api`. */
export interface SpanLike {
  setAttribute(name: string, value: string): unknown
  setStatus(status: { code: number }): unknown
  end(): void
}
