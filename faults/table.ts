import type { Numbers, Verdict } from './verdict'

const COLUMNS: readonly (readonly [head: string, cell: (verdict: Verdict) => string])[] = [
  ['What was done', ({ scenario }) => scenario.title],
  ['Keys', ({ numbers }) => whole(numbers.keys)],
  ['Requests', ({ numbers }) => whole(numbers.calls)],
  ['Answered', ({ numbers }) => answers(numbers)],
  ['Actions run', ({ numbers }) => whole(numbers.executions)],
  ['Twice', ({ numbers }) => whole(numbers.executedTwice)],
  ['Longest time without a success', ({ numbers }) => seconds(numbers.longestGap)],
  ['First success afterwards', ({ numbers }) => seconds(numbers.firstSuccess)],
  ['Last 503 afterwards', ({ numbers }) => seconds(numbers.lastRefusal)],
  ['Slowest 503', ({ numbers }) => seconds(numbers.slowestRefusal)],
]

/** The numbers of a run, in Markdown. */
export function table(verdicts: readonly Verdict[]): string {
  const rows = [COLUMNS.map(([head]) => head), ...verdicts.map((one) => COLUMNS.map(([, cell]) => cell(one)))]
  const [head = '', ...body] = rows.map((cells) => `| ${cells.join(' | ')} |`)
  const rule = `|${COLUMNS.map(() => '---').join('|')}|`
  const notes = verdicts.flatMap(({ scenario, notes: told }) =>
    told.map((note) => `- ${scenario.title}: ${note}.`),
  )
  return [head, rule, ...body, '', ...notes].join('\n')
}

function answers({ statuses }: Numbers): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status}: ${whole(count)}`)
    .join('; ')
}

function whole(count: number): string {
  return count.toLocaleString('en')
}

/** A dash where there was no fault, or no 503. */
function seconds(milliseconds: number | undefined): string {
  return milliseconds === undefined || !Number.isFinite(milliseconds)
    ? '-'
    : `${(milliseconds / 1000).toFixed(2)} s`
}
