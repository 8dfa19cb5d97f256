import { pause, until } from './clock'
import type { Deployment, Session } from './deployment'
import { audit, type Load, type LoadOptions, startLoad } from './load'
import type { Rule } from './model/check'
import { type History, isSuccess } from './model/history'

/** Everything that was recorded in a scenario. */
export interface Observation {
  readonly history: History
  /** When the fault began and ended. */
  readonly fault?: { readonly begin: number; readonly end: number }
  /** Figures for the report. */
  readonly notes: readonly string[]
  /** Failed checks of this scenario, in addition to the general ones. */
  readonly failures: readonly string[]
}

export interface Scenario<D extends Deployment = Deployment> {
  readonly name: string
  /** The row title in the table of results. */
  readonly title: string
  /** Rules that this scenario may violate, as documented. */
  readonly mayViolate?: readonly Rule[]
  /** Whether requests may get no answer, because a worker is killed. */
  readonly mayGoUnanswered?: boolean
  run(deployment: D): Promise<Observation>
}

export type Findings = Partial<Pick<Observation, 'notes' | 'failures'>>

/** A fault in Redis or in a worker, caused under load. */
export interface FaultInjection {
  /** Causes the fault and ends it. Calls `onEnd` if it continues after the end of the fault. */
  inject(session: Session, load: Load, onEnd: () => void): Promise<Findings>
  /** Whether Redis answers all the time. */
  readonly redisStaysAvailable?: boolean
}

/** Runs load, injects a fault, and waits until the service has recovered. Then tries to redeem every key. */
export async function underLoad(
  deployment: Deployment,
  { inject, redisStaysAvailable }: FaultInjection,
): Promise<Observation> {
  const session = deployment.startSession()
  const { recorder } = session
  const options = loadOptions(deployment, session)
  const load = startLoad(options)
  await pause(deployment.scale.calmSeconds * 1000)
  const endOutage = redisStaysAvailable ? () => undefined : recorder.startOutage()
  const begin = recorder.now()
  let end: number | undefined
  const onEnd = () => {
    end ??= recorder.now()
  }
  const { notes = [], failures = [] } = await inject(session, load, onEnd)
  onEnd()
  const fault = { begin, end: end ?? recorder.now() }
  await until('all workers issue and redeem keys again', () => worksSince(session, fault.end, deployment))
  await pause(deployment.scale.calmSeconds * 1000)
  await load.stop()
  endOutage()
  await audit(options, load.keys)
  return { history: session.history(), fault, notes, failures }
}

/** Finds 503 answers that came before the store's timeout, so that a busy machine is no explanation. */
export function earlyRefusals({
  calls,
  storeTimeoutMilliseconds,
}: Pick<History, 'calls' | 'storeTimeoutMilliseconds'>): string[] {
  return calls
    .filter(({ status, begin, end }) => status === 503 && end - begin < storeTimeoutMilliseconds * 0.9)
    .map(({ id }) => `${id} got a 503 before the timeout, although nothing was wrong`)
}

export function loadOptions({ random, owners, scale }: Deployment, { driver }: Session): LoadOptions {
  return { driver, random, owners, workers: scale.workers, concurrency: scale.concurrency }
}

function worksSince({ recorder: { calls } }: Session, time: number, { scale }: Deployment): boolean {
  const succeeded = calls.filter((call) => call.begin >= time && isSuccess(call))
  return Array.from({ length: scale.workers }).every((_, worker) =>
    ['issue', 'redeem'].every((verb) =>
      succeeded.some((call) => call.verb === verb && call.worker === worker),
    ),
  )
}
