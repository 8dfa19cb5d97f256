import { ProvisioningError, type Reason } from '../base/errors.js'
import type { KeyRef } from '../ports/key-record.js'
import { type Meters, SCOPE } from './meters.js'
import { ERROR_TYPE, USE_CASES, type UseCase } from './metrics.js'
import type {
  Attributes,
  RecordingInstrument,
  SpanLike,
  TracerLike,
  TracerProviderLike,
} from './providers.js'

/** The reason of a refusal. `released`: the action of the host failed. */
export type Failure = Reason | 'released'

/** Learns the result of the verification of a key. */
export interface VerificationObserver {
  accepted(key: KeyRef): void
  refused(error: unknown): void
}

/** One run of a use case. */
export interface Observation extends VerificationObserver {
  /** The key that the run is about. */
  identify(key: KeyRef): void
  /** Says that the run failed, although its promise resolves. */
  fail(failure: Failure): void
}

/** Measures and traces runs of use cases. */
export interface UseCaseRecorder {
  /** Measures and traces one run. The result and the errors are those of `act`. */
  observe<T>(useCase: UseCase, act: (observation: Observation) => Promise<T>): Promise<T>
  /**
   * Begins to measure a verification. It is cheaper than `observe`, and has no span. `undefined` if verifications are
   * traced.
   */
  readonly beginVerification: (() => VerificationObserver) | undefined
}

export function useCaseRecorder(
  meters: Meters | undefined,
  tracers: TracerProviderLike | undefined,
): UseCaseRecorder {
  const tracer = tracers?.getTracer(SCOPE.name, SCOPE.version)
  const recorders = meters === undefined ? new Map<UseCase, RecordRun>() : recordersOf(meters)
  const recordVerification = recorders.get('verify')
  return {
    observe(useCase, act) {
      const record = recorders.get(useCase)
      if (tracer === undefined) return new Run(record, undefined).finish(act)
      return startSpan(tracer, useCase, (span) => new Run(record, span).finish(act))
    },
    beginVerification:
      tracer === undefined && recordVerification !== undefined
        ? () => new TimedVerification(recordVerification)
        : undefined,
  }
}

/** Measures and traces one run, if there is a recorder. */
export function observed<T>(
  recorder: UseCaseRecorder | undefined,
  useCase: UseCase,
  act: (observation?: Observation) => Promise<T>,
): Promise<T> {
  return recorder === undefined ? act() : recorder.observe(useCase, act)
}

type RecordRun = (begun: number, failure: Failure | undefined) => void

function recordersOf(meters: Meters): Map<UseCase, RecordRun> {
  const histograms = new Map<string, RecordingInstrument>()
  return new Map(
    Object.entries(USE_CASES).map(([useCase, { duration, attributes }]) => {
      const histogram = histograms.get(duration.name) ?? meters.histogram(duration)
      histograms.set(duration.name, histogram)
      return [useCase as UseCase, recorderOf(histogram, attributes, meters)]
    }),
  )
}

/** Makes the attributes of each failure once. */
function recorderOf(histogram: RecordingInstrument, attributes: Attributes, meters: Meters): RecordRun {
  const buffer = Object.keys(attributes).length === 0 ? new DurationBuffer(histogram) : undefined
  if (buffer !== undefined) meters.onCollection(() => buffer.report())
  const ofSuccess = Object.freeze({ ...attributes })
  const ofFailures = new Map<Failure, Attributes>()
  return (begun, failure) => {
    const seconds = (performance.now() - begun) / 1000
    if (failure === undefined) return buffer ? buffer.add(seconds) : histogram.record(seconds, ofSuccess)
    const ofFailure = ofFailures.get(failure) ?? Object.freeze({ ...attributes, [ERROR_TYPE]: failure })
    ofFailures.set(failure, ofFailure)
    histogram.record(seconds, ofFailure)
  }
}

/** So many durations are reported together. */
const BUFFERED = 256

/**
 * Collects the durations of successful verifications, and records them together. Then the code of the SDK is in the
 * caches of the processor. In the middle of a request, each record takes twice as long.
 */
class DurationBuffer {
  readonly #histogram: RecordingInstrument
  readonly #seconds = new Float64Array(BUFFERED)
  #count = 0

  constructor(histogram: RecordingInstrument) {
    this.#histogram = histogram
  }

  add(seconds: number): void {
    this.#seconds[this.#count] = seconds
    this.#count += 1
    if (this.#count === BUFFERED) this.report()
  }

  report(): void {
    for (let i = 0; i < this.#count; i += 1) this.#histogram.record(this.#seconds[i] ?? 0)
    this.#count = 0
  }
}

class TimedVerification implements VerificationObserver {
  readonly #record: RecordRun
  readonly #begun = performance.now()

  constructor(record: RecordRun) {
    this.#record = record
  }

  accepted(): void {
    this.#record(this.#begun, undefined)
  }

  refused(error: unknown): void {
    this.#record(this.#begun, failureOf(error))
  }
}

/** Makes the span the active one, so that the spans of stores and handlers are its children. */
function startSpan<T>(
  tracer: TracerLike,
  useCase: UseCase,
  run: (span?: SpanLike) => Promise<T>,
): Promise<T> {
  const { span: name, attributes } = USE_CASES[useCase]
  let running: Promise<T> | undefined
  try {
    tracer.startActiveSpan(name, { attributes }, (span) => {
      running = run(span)
    })
  } catch {
    // A tracer must never throw. If one does, the use case runs all the same, and only once.
  }
  return running ?? run()
}

/** The value of `SpanStatusCode.ERROR`. */
const STATUS_ERROR = 2

class Run implements Observation {
  readonly #record: RecordRun | undefined
  readonly #span: SpanLike | undefined
  readonly #begun = performance.now()
  #failure: Failure | undefined

  constructor(record: RecordRun | undefined, span: SpanLike | undefined) {
    this.#record = record
    this.#span = span
  }

  identify({ jti, clientId }: KeyRef): void {
    this.#span?.setAttribute('provisioning_key.id', jti)
    this.#span?.setAttribute('provisioning_key.client_id', clientId)
  }

  accepted(key: KeyRef): void {
    this.identify(key)
  }

  /** Nothing to do: the error also ends the run. */
  refused(): void {}

  fail(failure: Failure): void {
    this.#failure = failure
  }

  finish<T>(act: (observation: Observation) => Promise<T>): Promise<T> {
    return act(this).then(
      (result) => {
        this.#end()
        return result
      },
      (error) => {
        this.#failure = failureOf(error)
        const { jti, clientId } = error instanceof ProvisioningError ? error.facts : {}
        if (jti !== undefined && clientId !== undefined) this.identify({ jti, clientId })
        this.#end()
        throw error
      },
    )
  }

  #end(): void {
    this.#record?.(this.#begun, this.#failure)
    const span = this.#span
    if (span === undefined) return
    if (this.#failure !== undefined) {
      span.setAttribute(ERROR_TYPE, this.#failure)
      span.setStatus({ code: STATUS_ERROR })
    }
    span.end()
  }
}

/** The reason only: the message of an error may contain what the host does not want in its traces. */
export function failureOf(error: unknown): Failure {
  return error instanceof ProvisioningError ? error.reason : 'server_fault'
}
