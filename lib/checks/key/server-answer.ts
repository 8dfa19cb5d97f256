import { parseObject } from '../../base/object.js'

/** The answer of the server to the request, as `curl -v` or `curl -i` prints it. */
export interface ServerAnswer {
  readonly status: number
  /** The members of RFC 6749 5.2, from the body or from the challenge. */
  readonly error: string | undefined
  readonly description: string | undefined
  readonly errorUri: string | undefined
  /** Whether the server asks for a key or a token (RFC 6750 3). */
  readonly wantsKey: boolean
}

/** A text in two parts. */
export interface SeparatedText {
  /** The text before the answer. The output of `curl -v` stays whole, because `>` marks the request. */
  readonly request: string
  readonly answer: ServerAnswer | undefined
}

/** `curl -v` marks the lines of the answer by `<`, and `curl -i` does not. */
const STATUS_LINE = /^(< ?)?HTTP\/[\d.]+ (\d{3})\b/
const CHALLENGE = /^(?:< ?)?www-authenticate: ?(.*)$/i
/** Lines of `curl -v` that are not from the body. */
const NOTE = /^([<>*]|[{}] \[\d+ bytes data\])/

/**
 * Reads the last answer of a text. An earlier one is a redirect, or the answer of a proxy.
 *
 * @param redact removes secrets, because a server can quote them
 */
export function separateAnswer(text: string, redact: (text: string) => string): SeparatedText {
  const lines = text.split(/\r\n|\r|\n/)
  const statuses = lines.map((line) => STATUS_LINE.exec(line))
  const last = statuses.findLastIndex((match) => Number(match?.[2]) >= 200)
  const first = statuses.findIndex((match) => match !== null && match[1] === undefined)
  const request = first === -1 ? text : lines.slice(0, first).join('\n')
  if (last === -1) return { request, answer: undefined }
  return {
    request,
    answer: { status: Number(statuses[last]?.[2]), ...errorOf(lines.slice(last + 1), redact) },
  }
}

function errorOf(lines: readonly string[], redact: (text: string) => string): Omit<ServerAnswer, 'status'> {
  const challenge = lines.flatMap((line) => CHALLENGE.exec(line)?.[1] ?? []).join(', ')
  const body = membersOf(lines.filter((line) => !NOTE.test(line)).join('\n'))
  const member = (name: string) => {
    const [, quoted] = new RegExp(`\\b${name}="([^"]*)"`).exec(challenge) ?? []
    const value = typeof body[name] === 'string' ? body[name] : quoted
    return value === undefined ? undefined : redact(value)
  }
  return {
    error: member('error'),
    description: member('error_description'),
    errorUri: member('error_uri'),
    wantsKey: /^(bearer|dpop)\b/i.test(challenge),
  }
}

/** The members of the JSON object in a text. */
function membersOf(text: string): Readonly<Record<string, unknown>> {
  return parseObject(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) ?? {}
}
