import type { CheckResult, Outcome } from './check.js'

/** What decides whether a run as a whole has passed. */
export interface VerdictOptions {
  /** More warnings than these fail the run. Default: no limit. */
  readonly maxWarnings?: number
  /** More skipped checks than these fail the run. Default: no limit. */
  readonly maxSkipped?: number
  /** The ids of checks that are known to fail. A check of this list that passes fails the run: the list is stale. */
  readonly expectedFailures?: ReadonlySet<string>
}

/** The end of a run. */
export interface Verdict {
  readonly exitCode: 0 | 1 | 2
  /** One sentence for people. */
  readonly sentence: string
  readonly counts: Readonly<Record<Outcome | 'expected', number>>
  /** The ids of expected failures that have passed. */
  readonly stale: readonly string[]
}

/** Decides on a run: 0 if it passed, 1 if it failed, 2 if no check ran. */
export function verdictOf(results: readonly CheckResult[], options: VerdictOptions = {}): Verdict {
  const { expectedFailures = new Set() } = options
  const failures = results.filter(({ outcome }) => outcome === 'failed')
  const unexpected = failures.filter(({ id }) => !expectedFailures.has(id))
  const count = (outcome: Outcome) => results.filter((one) => one.outcome === outcome).length
  const counts = {
    passed: count('passed'),
    warning: count('warning'),
    failed: unexpected.length,
    expected: failures.length - unexpected.length,
    skipped: count('skipped'),
  }
  const stale = results.filter(({ id, outcome }) => outcome === 'passed' && expectedFailures.has(id))
  const ids = stale.map(({ id }) => id)
  if (counts.skipped === results.length) return { exitCode: 2, sentence: 'No check ran.', counts, stale: ids }
  const faults = [
    ...(counts.failed > 0
      ? [`${plural(counts.failed, 'check failed', 'checks failed')}: ${listed(unexpected)}`]
      : []),
    ...excess(counts.warning, ['warning', 'warnings'], options.maxWarnings),
    ...excess(counts.skipped, ['skipped check', 'skipped checks'], options.maxSkipped),
    ...(ids.length > 0 ? [`expected to fail, but passed: ${ids.join(', ')}`] : []),
  ]
  const isPassed = faults.length === 0
  return { exitCode: isPassed ? 0 : 1, sentence: sentenceOf(faults, counts), counts, stale: ids }
}

function sentenceOf(faults: readonly string[], counts: Verdict['counts']): string {
  const others = [
    plural(counts.passed, 'passed', 'passed'),
    ...(counts.expected > 0 ? [`${counts.expected} failed as expected`] : []),
    ...(counts.warning > 0 ? [plural(counts.warning, 'warning', 'warnings')] : []),
    ...(counts.skipped > 0 ? [`${counts.skipped} skipped`] : []),
  ]
  const passed = counts.skipped > 0 ? 'All checks that ran passed' : 'All checks passed'
  const first = faults.length === 0 ? passed : `Not passed: ${faults.join('; ')}`
  return `${first} (${others.join(', ')}).`
}

function excess(
  count: number,
  [one, many]: readonly [string, string],
  most = Number.POSITIVE_INFINITY,
): readonly string[] {
  return count > most ? [`${plural(count, one, many)}, but at most ${most} allowed`] : []
}

function listed(results: readonly CheckResult[]): string {
  return results.map(({ id }) => id).join(', ')
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
