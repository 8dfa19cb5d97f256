import type { Numbers, ScenarioResult } from './result'

const COLUMNS: readonly (readonly [head: string, cell: (result: ScenarioResult) => string])[] = [
  ['Scenario', ({ scenario }) => scenario.title],
  ['Keys', ({ numbers }) => whole(numbers.keys)],
  ['Requests', ({ numbers }) => whole(numbers.calls)],
  ['Status: number of answers', ({ numbers }) => answers(numbers)],
  ['Actions started', ({ numbers }) => whole(numbers.executions)],
  ['Actions started wrongly', ({ numbers }) => whole(numbers.executedTwice)],
  ['Longest time without a success during the fault', ({ numbers }) => seconds(numbers.longestGap)],
  ['First success after the fault', ({ numbers }) => seconds(numbers.firstSuccess)],
  ['Last failed request after the fault', ({ numbers }) => seconds(numbers.lastRefusal)],
  ['Slowest 503', ({ numbers }) => seconds(numbers.slowestRefusal)],
]

/** The results as a table in Markdown, followed by the notes. */
export function table(results: readonly ScenarioResult[]): string {
  const rows = [
    COLUMNS.map(([head]) => head),
    ...results.map((each) => COLUMNS.map(([, cell]) => cell(each))),
  ]
  const [head = '', ...body] = rows.map((cells) => `| ${cells.join(' | ')} |`)
  const rule = `|${COLUMNS.map(() => '---').join('|')}|`
  const lines = results.flatMap(({ scenario, notes }) =>
    notes.map((note) => `- **${scenario.title}.** ${note}.`),
  )
  return [head, rule, ...body, '', ...lines].join('\n')
}

function answers({ statuses }: Numbers): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status}: ${whole(count)}`)
    .join('; ')
}

function whole(count: number): string {
  return count.toLocaleString('en')
}

/** A dash if there was no fault, or no 503. */
function seconds(milliseconds: number | undefined): string {
  return milliseconds === undefined || !Number.isFinite(milliseconds)
    ? '-'
    : `${(milliseconds / 1000).toFixed(2)} s`
}
