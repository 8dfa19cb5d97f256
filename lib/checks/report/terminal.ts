import { styleText } from 'node:util'
import type { CheckResult, Outcome } from '../check.js'
import type { Verdict } from '../verdict.js'

/** The terminal or pipe that a report is written to. */
export interface Screen {
  /** The width in characters. */
  readonly columns: number
  readonly hasColours: boolean
}

type Style = Parameters<typeof styleText>[0]

const MARKS: Readonly<Record<Outcome | 'expected', { readonly symbol: string; readonly style: Style }>> = {
  passed: { symbol: '√', style: 'green' },
  warning: { symbol: '‼', style: 'yellow' },
  failed: { symbol: '×', style: 'red' },
  expected: { symbol: '×', style: 'gray' },
  skipped: { symbol: '-', style: 'gray' },
}
const LABEL_WIDTH = 10

/** How a report refers to the checks that are known to fail, and to the documentation. */
export interface ReportContext {
  readonly screen: Screen
  readonly expectedFailures: ReadonlySet<string>
  /** The page with an anchor for each check. */
  readonly help: string
}

/** Writes results for people, group by group: one line for each check, and more lines for each fault. */
export class TerminalReport {
  readonly #context: ReportContext
  #group: string | undefined
  /** Why the previous check was skipped, and how many more were skipped for this reason. */
  #lastReason: string | undefined
  #more = 0

  constructor(context: ReportContext) {
    this.#context = context
  }

  /** The lines of a result, with the heading of its group if it is the first one there. */
  result(result: CheckResult): string {
    const { group, outcome, reason } = result
    if (outcome === 'skipped' && reason === this.#lastReason) {
      this.#more += 1
      return ''
    }
    const more = this.#linesOfMore()
    this.#lastReason = reason
    const isFirst = group !== this.#group
    const blank = this.#group === undefined ? [] : ['']
    this.#group = group
    const heading = isFirst ? [...blank, this.#style('bold', group)] : []
    return lines([...more, ...heading, ...this.#lines(result)])
  }

  /** A sentence about the whole run. */
  note(text: string): string {
    return lines([...this.#linesOfMore(), '', ...wrap(text, { width: this.#context.screen.columns })])
  }

  verdict({ sentence, exitCode }: Verdict): string {
    const style = exitCode === 0 ? 'green' : 'red'
    return lines([
      ...this.#linesOfMore(),
      '',
      ...wrap(sentence, { width: this.#context.screen.columns }).map((line) => this.#style(style, line)),
    ])
  }

  /** One line for all checks that were skipped for the same reason as the previous one. */
  #linesOfMore(): string[] {
    const more = this.#more
    this.#more = 0
    if (more === 0) return []
    const what = more === 1 ? '1 more check is' : `${more} more checks are`
    return [this.#style('gray', `- ${what} skipped for this reason`)]
  }

  #lines(result: CheckResult): string[] {
    const { outcome } = result
    const title = titleOf(result)
    const isExpected = outcome === 'failed' && this.#context.expectedFailures.has(result.id)
    const { symbol, style } = MARKS[isExpected ? 'expected' : outcome]
    const [first = '', ...rest] = wrap(isExpected ? `${title} (expected failure)` : title, this.#body(2))
    const painted = (line: string) => (outcome === 'skipped' || isExpected ? this.#style('gray', line) : line)
    return [
      `${this.#style(style, symbol)} ${painted(first)}`,
      ...rest.map((line) => `  ${painted(line)}`),
      ...this.#facts(result).flatMap(([label, text]) => this.#fact(label, text)),
    ]
  }

  #facts(result: CheckResult): [string, string][] {
    const { outcome, actual, expected, clause, reason, request, secrets, fix } = result
    const given = (label: string, text: string | undefined): [string, string][] =>
      text === undefined ? [] : [[label, text]]
    if (outcome === 'passed') return []
    if (outcome === 'skipped') return given('skipped', reason)
    return [
      ...given('actual', actual),
      ...given('expected', expected),
      ...given('clause', clause),
      ['fix', fix],
      ['help', linkTo(result, this.#context.help)],
      ...given('request', request),
      ...given('secrets', secrets),
    ]
  }

  #fact(label: string, text: string): string[] {
    const indent = LABEL_WIDTH + 2
    // A command or an address must stay one line, so that it can be copied.
    const texts = label === 'request' || label === 'help' ? [text] : wrap(text, this.#body(indent))
    return texts.map((line, index) => {
      const shown = (index === 0 ? label : '').padEnd(LABEL_WIDTH)
      return `  ${this.#style('gray', shown)}${line}`
    })
  }

  #body(indent: number) {
    return { width: this.#context.screen.columns - indent }
  }

  #style(style: Style, text: string): string {
    return this.#context.screen.hasColours ? styleText(style, text, { validateStream: false }) : text
  }
}

/** The section of the help page that explains a result, or the page itself if it has no section about the result. */
export function linkTo({ id, section = id }: CheckResult, help: string): string {
  return section === '' ? help : `${help}#${section}`
}

function titleOf({ title, outcome, actual }: CheckResult): string {
  return outcome === 'passed' && actual !== undefined ? `${title} (${actual})` : title
}

/** Breaks a text between words. A word that is longer than a line is broken too. */
export function wrap(text: string, { width }: { readonly width: number }): string[] {
  const wrapped: string[] = []
  const pieces = new RegExp(`.{1,${width}}`, 'gu')
  let line = ''
  for (const word of plain(text)
    .split(' ')
    .flatMap((one) => one.match(pieces) ?? '')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      wrapped.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...wrapped, line]
}

/** A server must not move the cursor of a terminal, or add lines. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}

/** The same for JSON, which keeps all characters: `JSON.stringify()` escapes only some of them. */
export function plainJson(json: string): string {
  return json.replace(/[^\n\P{Cc}]|[\p{Cf}\u2028\u2029]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('')
}
