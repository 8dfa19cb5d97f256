import type { CheckResult } from '../check.js'
import type { Verdict } from '../verdict.js'
import { linkTo, plainJson, type ReportContext } from './terminal.js'

/** The results for programs. */
export interface ReportedRun {
  readonly results: readonly CheckResult[]
  readonly verdict: Verdict
  /** What was tested, such as the URL of an issuer. */
  readonly subject: string
}

type Links = Pick<ReportContext, 'help' | 'expectedFailures'>

/** The results as one JSON object. */
export function jsonReport(
  { results, verdict, subject }: ReportedRun,
  { help, expectedFailures }: Links,
): string {
  const { exitCode, sentence, counts, stale } = verdict
  const checks = results.map((result) => ({
    ...result,
    ...(result.outcome === 'failed' && { isExpected: expectedFailures.has(result.id) }),
    // The help page explains faults only.
    ...((result.outcome === 'failed' || result.outcome === 'warning') && { help: linkTo(result, help) }),
  }))
  const report = { subject, passed: exitCode === 0, sentence, counts, stale, checks }
  return `${plainJson(JSON.stringify(report, undefined, 2))}\n`
}

/** The results as JUnit XML, which most CI systems read. Warnings and expected failures are output of their tests. */
export function junitReport({ results, subject }: ReportedRun, { help, expectedFailures }: Links): string {
  const groups = [...new Set(results.map(({ group }) => group))]
  const suites = groups.map((group) => {
    const own = results.filter((result) => result.group === group)
    const failures = own.filter((one) => isFailure(one, expectedFailures)).length
    const skips = own.filter(({ outcome }) => outcome === 'skipped').length
    const counts = `tests="${own.length}" failures="${failures}" skipped="${skips}" time="${seconds(own)}"`
    const cases = own.map((one) => testCase(one, { help, expectedFailures }))
    return `  <testsuite name="${xml(group)}" ${counts}>\n${cases.join('\n')}\n  </testsuite>`
  })
  const total = `tests="${results.length}" failures="${results.filter((one) => isFailure(one, expectedFailures)).length}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${xml(subject)}" ${total}>\n${suites.join('\n')}\n</testsuites>\n`
}

function isFailure({ id, outcome }: CheckResult, expectedFailures: ReadonlySet<string>): boolean {
  return outcome === 'failed' && !expectedFailures.has(id)
}

function testCase(result: CheckResult, links: Links): string {
  const name = `name="${xml(result.title)}" classname="${xml(result.id)}" time="${seconds([result])}"`
  const inside = contentOf(result, links)
  return inside === '' ? `    <testcase ${name}/>` : `    <testcase ${name}>${inside}</testcase>`
}

function contentOf(result: CheckResult, { help, expectedFailures }: Links): string {
  if (result.outcome === 'passed') return ''
  if (result.outcome === 'skipped') return `<skipped message="${xml(result.reason ?? '')}"/>`
  const { actual, expected, clause, fix, request, secrets } = result
  const facts = { actual, expected, clause, fix, help: linkTo(result, help), request, secrets }
  const text = Object.entries(facts).flatMap(([label, fact]) =>
    fact === undefined ? [] : [`${label}: ${fact}`],
  )
  const details = xml(text.join('\n'))
  return isFailure(result, expectedFailures)
    ? `<failure message="${xml(actual ?? '')}">${details}</failure>`
    : `<system-out>${details}</system-out>`
}

function seconds(results: readonly CheckResult[]): string {
  return (results.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000).toFixed(3)
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** A text in XML 1.0, without the characters that XML forbids. */
function xml(text: string): string {
  const allowed = text.replace(/[^\P{C}\t\n\r]/gu, '\ufffd')
  return allowed.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '')
}
