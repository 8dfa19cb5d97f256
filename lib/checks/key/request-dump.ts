import type { PresentedRequest } from '../../base/request.js'

/** A key, or the request that presents it, as somebody has copied it from a terminal or a log. */
export interface RequestDump {
  readonly presented: PresentedRequest
  /** Whether the text is a request. Otherwise it is only a key, and nothing is known about its request. */
  readonly isRequest: boolean
  /** The URL of the request, as far as the text has it. */
  readonly url: string | undefined
  /** The key in the body of a token exchange (RFC 8693 2.1). */
  readonly subjectToken: string | undefined
  /** The `grant_type` in the body of a token request. */
  readonly grantType: string | undefined
}

/** The method and the URL, if the user knows them better than the text. */
export interface KnownTarget {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** The IP address of the caller. */
  readonly address?: string | undefined
}

interface Field {
  readonly name: string
  readonly value: string
}

interface Parts {
  readonly method?: string | undefined
  readonly target?: string | undefined
  readonly fields: readonly Field[]
  readonly body: string
}

const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/[\d.]+$/
const FIELD = /^([\w-]+) ?: ?(.*)$/
const HEADER_OF_INTEREST = /^(>\s*)?(authorization|dpop|host|proxy-authorization|x-[\w-]+)\s*:/im

/** Reads a raw HTTP request, headers as curl prints them, a curl command, or a key alone. */
export function readDump(text: string, known: KnownTarget): RequestDump {
  const plain = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .trim()
  const isCommand = /^\$?\s*curl\s/.test(plain)
  const isRequest = isCommand || REQUEST_LINE.test(firstLine(plain)) || HEADER_OF_INTEREST.test(plain)
  const parts = isCommand ? partsOfCommand(plain) : isRequest ? partsOfRequest(plain) : partsOfKey(plain)
  const method = known.method ?? parts.method
  const url = known.url ?? urlOf(parts)
  const form = new URLSearchParams(isForm(parts) ? parts.body.trim() : '')
  const values = (name: string) =>
    parts.fields.filter((field) => field.name === name).map((field) => field.value)
  const presented: PresentedRequest = {
    method: method ?? 'GET',
    authorization: values('authorization'),
    dpop: values('dpop'),
    queryNames: url !== undefined && URL.canParse(url) ? [...new URL(url).searchParams.keys()] : [],
    tokenInBody: form.has('access_token'),
    certificate: undefined,
    address: known.address,
  }
  const [subjectToken, grantType] = [form.get('subject_token'), form.get('grant_type')]
  return {
    presented,
    isRequest,
    url,
    subjectToken: subjectToken ?? undefined,
    grantType: grantType ?? undefined,
  }
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/^> ?/, '')
}

function partsOfKey(text: string): Parts {
  const value = /^(bearer|dpop|token)\b/i.test(text) ? text : `Bearer ${text}`
  return { fields: [{ name: 'authorization', value }], body: '' }
}

/** A request as text. `curl -v` marks the lines of a request by `>`, and those of its answer by `<`. */
function partsOfRequest(text: string): Parts {
  const all = text.split('\n')
  const isCurl = all.some((line) => /^> /.test(line))
  const lines = isCurl ? all.filter((line) => /^>/.test(line)).map((line) => line.replace(/^> ?/, '')) : all
  const [, method, target] = REQUEST_LINE.exec(lines[0] ?? '') ?? []
  const rest = method === undefined ? lines : lines.slice(1)
  const end = rest.findIndex((line) => line.trim() === '')
  const head = end === -1 ? rest : rest.slice(0, end)
  const body = end === -1 ? '' : rest.slice(end + 1).join('\n')
  return { method, target, fields: fieldsOf(head), body }
}

/** The header fields. A line that is no field continues the previous one, such as a key with a line break. */
function fieldsOf(lines: readonly string[]): Field[] {
  const fields: Field[] = []
  for (const line of lines) {
    const [, name, value = ''] = /^\s/.test(line) ? [] : (FIELD.exec(line) ?? [])
    const previous = fields.at(-1)
    if (name !== undefined) fields.push({ name: name.toLowerCase(), value: value.trim() })
    else if (previous !== undefined)
      fields[fields.length - 1] = { ...previous, value: `${previous.value}\n${line.trim()}` }
  }
  return fields
}

/** The words of a shell command: plain, in quotes, or in both. */
const WORD = /(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|[^\s'"\\])+/g

/** Short options of curl in one word, of which the last one has a value, as in `-sH` and `-sXPOST`. */
const SHORT_OPTIONS = /^-[^\WAbcCdDeEFHKmoPQrtTuUwxXyYz]*([AbcCdDeEFHKmoPQrtTuUwxXyYz])([\s\S]*)$/
const DATA_OPTIONS = /^(-d|--data|--data-(ascii|binary|raw|urlencode))$/

function partsOfCommand(text: string): Parts {
  const words = [...text.replaceAll('\\\n', ' ').matchAll(WORD)].flatMap(([word]) =>
    separated(unquoted(word)),
  )
  const after = (...names: readonly string[]) =>
    words.flatMap((word, index) => (names.includes(word) ? [words[index + 1] ?? ''] : []))
  const data = words.flatMap((word, index) => {
    const value = words[index + 1] ?? ''
    if (!DATA_OPTIONS.test(word)) return []
    return [word === '--data-urlencode' ? encoded(value) : value]
  })
  // curl joins them so.
  const body = data.length === 0 ? undefined : data.join('&')
  const [method = body === undefined ? 'GET' : 'POST'] = after('-X', '--request')
  const target = words.find((word) => /^https?:\/\//.test(word))
  const type = body === undefined ? [] : ['Content-Type: application/x-www-form-urlencoded']
  const fields = after('-H', '--header')
    .concat(type)
    .flatMap((header) => fieldOf(header))
  return { method, target, fields, body: body ?? '' }
}

/** Options without a value say nothing about the request. */
function separated(word: string): string[] {
  const [, name, value = ''] = SHORT_OPTIONS.exec(word) ?? []
  return name === undefined ? [word] : [`-${name}`, ...(value === '' ? [] : [value])]
}

/** curl encodes what follows the name. */
function encoded(parameter: string): string {
  const start = parameter.indexOf('=') + 1
  return parameter.slice(0, start) + encodeURIComponent(parameter.slice(start))
}

/** A line break inside of the quotes is part of the value. */
function fieldOf(header: string): Field[] {
  const [, name, value = ''] = /^([\w-]+) ?: ?([\s\S]*)$/.exec(header) ?? []
  return name === undefined ? [] : [{ name: name.toLowerCase(), value: value.trim() }]
}

function unquoted(word: string): string {
  return word.replace(/'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])/g, (_, single, double, escaped) =>
    String(single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped),
  )
}

function urlOf({ target, fields }: Parts): string | undefined {
  if (target === undefined || /^https?:\/\//.test(target)) return target
  const host = fields.find(({ name }) => name === 'host')?.value
  if (host === undefined) return undefined
  const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)
  return `${isLocal ? 'http' : 'https'}://${host}${target}`
}

function isForm({ fields }: Parts): boolean {
  return fields.some(({ name, value }) => name === 'content-type' && /x-www-form-urlencoded/i.test(value))
}
