import type { Answer } from './send'
import type { Call } from './step'

/** The headers of answers that concern keys. The others come from helmet. */
const SHOWN_HEADERS = ['www-authenticate', 'cache-control']

/** A request in readable form. The form is decoded, with one parameter per line. */
export function requestLines({ method, url, authorization, dpop, form = {}, json }: Call): readonly string[] {
  return [
    `${method} ${url}`,
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    ...(dpop === undefined ? [] : [`DPoP: ${dpop}`]),
    ...Object.entries(form).map(([name, value]) => `  ${name}=${value}`),
    ...(json === undefined ? [] : [`  ${jsonLine(json)}`]),
  ]
}

/** The status, the headers that concern keys, and the whole body. */
export function answerLines({ status, statusText, headers, text, members }: Answer): readonly string[] {
  const shown = SHOWN_HEADERS.filter((name) => headers[name] !== undefined)
  return [
    `${status} ${statusText}`,
    ...shown.map((name) => `${capitalise(name)}: ${headers[name]}`),
    ...(Object.keys(members).length > 0 ? jsonLines(members) : [text]),
  ]
}

/** The status, and these members of the body. */
export function answerLine({ status, statusText, members }: Answer, names: readonly string[]): string {
  const shown = Object.fromEntries(
    names.filter((name) => name in members).map((name) => [name, members[name]]),
  )
  const isWhole = names.length === Object.keys(members).length
  return names.length === 0
    ? `${status} ${statusText}`
    : `${status} ${statusText}  ${jsonLine(shown, isWhole ? '' : ', ...')}`
}

const MAX_INLINE = 70

/** One member per line. An object that does not fit takes several lines. */
function jsonLines(json: object): readonly string[] {
  const members = Object.entries(json).map(([name, value]) => {
    const inline = JSON.stringify(value)
    const isSpread = typeof value === 'object' && inline.length > MAX_INLINE
    return `"${name}": ${isSpread ? JSON.stringify(value, null, 2) : inline}`
  })
  const inner = members.join(',\n').split('\n')
  return ['{', ...inner.map((line) => `  ${line}`), '}']
}

function jsonLine(json: object, rest = ''): string {
  const members = Object.entries(json).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`)
  return `{ ${members.join(', ')}${rest} }`
}

function capitalise(header: string): string {
  return header
    .split('-')
    .map((word) => (word === 'www' ? 'WWW' : `${word.charAt(0).toUpperCase()}${word.slice(1)}`))
    .join('-')
}
