import { setTimeout as sleep } from 'node:timers/promises'
import { oneLine } from '../client/failure.js'
import { type Check, CheckEnd, type CheckResult, type Finding, failed, skipped } from './check.js'
import type { Selection } from './selection.js'

const TIMEOUT_SECONDS = 30

/** How checks run. */
export interface CheckRun<Context> {
  readonly context: Context
  readonly selection: Selection
  /** Ends the run. */
  readonly signal: AbortSignal
  /** Receives each result as soon as it exists. */
  readonly onResult: (result: CheckResult) => void
}

/**
 * Runs checks one after the other, and gives their results in the same order. A check that throws has failed, unless it
 * throws a `CheckEnd`. A check that needs another one, which has failed or was skipped, is skipped.
 *
 * @throws the reason of the signal, if it is aborted
 */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  run: CheckRun<Context>,
): Promise<readonly CheckResult[]> {
  const results = new Map<string, CheckResult>()
  const reported: CheckResult[] = []
  for (const check of checks) {
    const { isNeeded, isReported, reason } = run.selection.of(check)
    if (!isNeeded) continue
    const result = await resultOf(check, { ...run, reason: reason ?? missing(check, results) })
    results.set(check.id, result)
    // A check that only others need is of interest if it explains why they did not run.
    if (!isReported && result.outcome === 'passed') continue
    reported.push(result)
    run.onResult(result)
  }
  return reported
}

async function resultOf<Context>(
  check: Check<Context>,
  { context, signal, reason }: CheckRun<Context> & { readonly reason: string | undefined },
): Promise<CheckResult> {
  const { run: _, needs: __, timeoutSeconds = TIMEOUT_SECONDS, ...info } = check
  const startedAt = performance.now()
  const timeLimit = new AbortController()
  const both = AbortSignal.any([signal, timeLimit.signal])
  const finding =
    reason === undefined
      ? await Promise.race([findingOf(check, { context, signal: both }), limit(timeoutSeconds, both)])
      : skipped(reason)
  timeLimit.abort()
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

/** Why a check cannot run: a check that it needs did not pass. */
function missing<Context>({ needs = [] }: Check<Context>, results: Map<string, CheckResult>) {
  const holds = (one: string) => ['passed', 'warning'].includes(results.get(one)?.outcome ?? '')
  const id = needs.find((one) => !holds(one))
  return id === undefined ? undefined : `needs ${id}, which did not pass`
}
