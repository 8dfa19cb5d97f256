import { type Answer, bodyOf } from './send'
import type { Call } from './step'

/** As wide as the terminal is, within what reads well. */
const COLUMNS = Math.max(60, Math.min(98, process.stdout.columns || 98))

/** The headers of answers that say something about keys; the others are helmet's. */
const SHOWN_HEADERS = ['www-authenticate', 'cache-control']

/** Breaks text at spaces, so that it fits a terminal; the first line may be led in by something else. */
export function wrap(text: string, indent: string, first = indent): string {
  const [margin = ''] = /^ */.exec(text) ?? []
  const lines: string[] = []
  let line = ''
  for (const word of text.trimStart().split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && indent.length + margin.length + longer.length > COLUMNS) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((one, i) => `${i === 0 ? first : indent}${margin}${one}`).join('\n')
}

/** A title and a line behind it, after an indent of two. */
export function heading(title: string): string {
  return `${title} ${'-'.repeat(COLUMNS - 7 - title.length)}`
}

/** How much of a request and its answer is shown. */
export type Detail = 'whole' | 'brief'

/** A request as a person reads it: its form is shown decoded, a parameter a line. */
export function requestLines(call: Call, detail: Detail): readonly string[] {
  const { method, url, authorization, dpop, form = {}, json } = call
  const [type] = bodyOf(call) ?? []
  return [
    `${method} ${url}`,
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    ...(dpop === undefined ? [] : [`DPoP: ${dpop}`]),
    ...(type === undefined || detail === 'brief' ? [] : [`Content-Type: ${type}`]),
    ...Object.entries(form).map(([name, value]) => `  ${name}=${value}`),
    ...(json === undefined ? [] : detail === 'brief' ? [`  ${jsonLine(json)}`] : jsonLines(json)),
  ]
}

export function answerLines({ status, statusText, headers, text, members }: Answer): readonly string[] {
  const shown = SHOWN_HEADERS.filter((name) => headers[name] !== undefined)
  return [
    `${status} ${statusText}`,
    ...shown.map((name) => `${capitalise(name)}: ${headers[name]}`),
    ...(Object.keys(members).length > 0 ? jsonLines(members) : [text]),
  ]
}

/** The status, and of the body what is said to be in it. */
export function answerLine({ status, statusText, members }: Answer, names: readonly string[]): string {
  const said = Object.fromEntries(
    names.filter((name) => name in members).map((name) => [name, members[name]]),
  )
  const isWhole = names.length === Object.keys(members).length
  return names.length === 0
    ? `${status} ${statusText}`
    : `${status} ${statusText}  ${jsonLine(said, isWhole ? '' : ', ...')}`
}

const LONGEST_INLINE = 70

/** A member a line; one that is an object too long for that is spread out below its name. */
function jsonLines(json: object): readonly string[] {
  const members = Object.entries(json).map(([name, value]) => {
    const inline = JSON.stringify(value)
    const isSpread = typeof value === 'object' && inline.length > LONGEST_INLINE
    return `"${name}": ${isSpread ? JSON.stringify(value, null, 2) : inline}`
  })
  const inner = members.join(',\n').split('\n')
  return ['{', ...inner.map((line) => `  ${line}`), '}']
}

function jsonLine(json: object, rest = ''): string {
  const members = Object.entries(json).map(([name, value]) => `"${name}":${JSON.stringify(value)}`)
  return `{ ${members.join(', ')}${rest} }`
}

function capitalise(header: string): string {
  return header
    .split('-')
    .map((word) => (word === 'www' ? 'WWW' : `${word.charAt(0).toUpperCase()}${word.slice(1)}`))
    .join('-')
}
