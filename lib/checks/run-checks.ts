import { setTimeout as sleep } from 'node:timers/promises'
import { oneLine } from '../client/failure.js'
import { type Check, CheckEnd, type CheckResult, type Finding, failed, skipped } from './check.js'
import type { Selection } from './selection.js'

const TIMEOUT_SECONDS = 30
/** How long an aborted check may clean up. */
const CLEANUP_MS = 2000

/** How checks run. */
export interface CheckRun<Context> {
  readonly context: Context
  readonly selection: Selection
  /** How many checks run at a time. Default: 1. */
  readonly concurrency?: number
  /** Ends the run. */
  readonly signal: AbortSignal
  /** Receives each result as soon as it exists. */
  readonly onResult: (result: CheckResult) => void
}

/**
 * Runs checks, and gives their results in the order of the checks. Each check starts after those that it needs, and not
 * before the checks in front of it. A check that throws has failed, unless it throws a `CheckEnd`. A check that needs
 * another one, which has failed or was skipped, is skipped.
 *
 * @throws the reason of the signal, if it is aborted
 */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  run: CheckRun<Context>,
): Promise<readonly CheckResult[]> {
  const { selection, concurrency = 1 } = run
  const results = new Map<string, Promise<CheckResult>>()
  const reporter = new OrderedReporter(run)
  const running = new Set<Promise<unknown>>()
  const start = async (check: Check<Context>) => {
    const { isNeeded, reason } = selection.of(check)
    if (!isNeeded) return
    const missing = await missingFor(check, results)
    while (running.size >= concurrency) await Promise.race(running)
    run.signal.throwIfAborted()
    const result = resultOf(check, { ...run, reason: reason ?? missing })
    // The reporter throws its error.
    const ended = result.catch(() => undefined).finally(() => running.delete(ended))
    running.add(ended)
    results.set(check.id, result)
    reporter.add(result)
  }
  try {
    for (const check of checks) await start(check)
    return await reporter.end()
  } finally {
    await Promise.all(running)
  }
}

/** Reports results as soon as all results before them are there. */
class OrderedReporter<Context> {
  readonly #run: CheckRun<Context>
  readonly #reported: CheckResult[] = []
  #last: Promise<void> = Promise.resolve()

  constructor(run: CheckRun<Context>) {
    this.#run = run
  }

  add(result: Promise<CheckResult>): void {
    this.#last = this.#last.then(async () => this.#report(await result))
    // end() throws its error.
    this.#last.catch(() => undefined)
  }

  async end(): Promise<readonly CheckResult[]> {
    await this.#last
    return this.#reported
  }

  #report(result: CheckResult): void {
    // A check that only others need is of interest if it explains why they did not run.
    if (!this.#run.selection.of(result).isReported && result.outcome === 'passed') return
    this.#reported.push(result)
    this.#run.onResult(result)
  }
}

async function resultOf<Context>(
  check: Check<Context>,
  { context, signal, reason }: CheckRun<Context> & { readonly reason: string | undefined },
): Promise<CheckResult> {
  const { run: _, needs: __, timeoutSeconds = TIMEOUT_SECONDS, ...info } = check
  const startedAt = performance.now()
  const timeLimit = new AbortController()
  const both = AbortSignal.any([signal, timeLimit.signal])
  const running = reason === undefined ? findingOf(check, { context, signal: both }) : skipped(reason)
  const finding = await Promise.race([running, limit(timeoutSeconds, both)])
  timeLimit.abort()
  // A check may have to end other processes.
  if (signal.aborted) await Promise.race([running, sleep(CLEANUP_MS, undefined, { ref: false })])
  signal.throwIfAborted()
  return { ...info, ...finding, durationMs: Math.round(performance.now() - startedAt) }
}

async function findingOf<Context>(
  check: Check<Context>,
  { context, signal }: { readonly context: Context; readonly signal: AbortSignal },
): Promise<Finding> {
  try {
    return await check.run(context, signal)
  } catch (error) {
    if (error instanceof CheckEnd) return error.finding
    return failed({ actual: oneLine(error), expected: check.title })
  }
}

async function limit(seconds: number, signal: AbortSignal): Promise<Finding> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => undefined)
  return failed({ actual: `no result within ${seconds} seconds`, expected: 'a result in time' })
}

const NEEDS = 'needs '

/** Why a check cannot run: a check that it needs did not pass. */
async function missingFor<Context>(
  { needs = [] }: Check<Context>,
  results: ReadonlyMap<string, Promise<CheckResult>>,
): Promise<string | undefined> {
  for (const id of needs) {
    const { outcome, reason = '' } = (await results.get(id)) ?? {}
    // Name the check at the beginning of the chain.
    if (outcome === 'skipped') return reason.startsWith(NEEDS) ? reason : `${NEEDS}${id}, which was skipped`
    if (outcome !== 'passed' && outcome !== 'warning') return `${NEEDS}${id}, which failed`
  }
  return undefined
}
