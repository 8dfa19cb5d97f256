import { plain } from '../report/terminal.js'

/** A request to the deployment. A header with a list of values is sent once for each of them. */
export interface Outgoing {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** A form. A parameter can occur twice. */
  readonly form?: readonly (readonly [name: string, value: string])[]
  /** Another body, as it is sent. */
  readonly text?: string
}

/** A request and its answer. */
export interface Exchange {
  readonly request: Outgoing
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The members of the body. Empty if the body is no JSON object. */
  readonly json: Readonly<Record<string, unknown>>
}

/** How much of an answer and of a request is shown, in characters. An OAuth error says at its end what to do. */
const SHOWN = 120
const SHOWN_OF_ERROR = 300
const LONGEST = 500

/** What stands for secrets in a request: the names of shell variables, with their meaning. */
const SECRETS = {
  KEY: 'a key or a token of this run',
  TOKEN: 'an access token of this run',
  CLIENT_SECRET: 'the secret of the test client',
  PROOF: 'a DPoP proof for this request',
  BASIC: 'the base64 of ID:SECRET, the id and the secret of the test client',
} as const
export type SecretName = `$${keyof typeof SECRETS}`

/** Hides secrets in a text. */
export type Redact = (text: string) => string

/** The body of a request, as text. */
export function bodyOf({ form, text }: Outgoing): string | undefined {
  return form === undefined ? text : String(parametersOf(form))
}

/** A form, or a query. */
export function parametersOf(form: NonNullable<Outgoing['form']>): URLSearchParams {
  const parameters = new URLSearchParams()
  for (const [name, value] of form) parameters.append(name, value)
  return parameters
}

/** An answer on one line: its status, and its OAuth error or the beginning of its body. */
export function describeAnswer({ status, json, text }: Exchange, redact: Redact): string {
  const { error, error_description: description } = json
  const said = [error, description].filter((part) => typeof part === 'string').join(': ')
  const rest = said === '' ? text : said
  // A secret must not lose its end before it is found.
  const shown = shorten(redact(rest), said === '' ? SHOWN : SHOWN_OF_ERROR)
  return plain(`status ${status}${shown === '' ? '' : `, ${shown}`}`)
}

/** The request as a curl command, for a POSIX shell. */
export function curlOf(request: Outgoing, redact: Redact): string {
  const { method, url, headers = {}, form = [], text } = request
  const fields = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `-H ${quote(redact(`${name}: ${value}`))}`),
  )
  const parameters = form.map(([name, value]) => `--data-urlencode ${quote(redact(`${name}=${value}`))}`)
  const body = text === undefined ? [] : [`--data-binary ${quote(shorten(redact(text), LONGEST))}`]
  return ['curl', '-i', '-X', method, quote(redact(url)), ...fields, ...parameters, ...body].join(' ')
}

/** Explains the names of secrets in a text. `undefined` if it has none. */
export function explainSecrets(text: string): string | undefined {
  const used = Object.entries(SECRETS).filter(([name]) => new RegExp(`\\$${name}\\b`).test(text))
  return used.map(([name, meaning]) => `$${name} is ${meaning}.`).join(' ') || undefined
}

const SPECIAL = new RegExp(`[\\\\"\`]|\\$(?!(${Object.keys(SECRETS).join('|')})\\b)`, 'g')

/** Double quotes, so that a shell replaces `$KEY` and other names of secrets. */
function quote(text: string): string {
  const escaped = plain(text).replace(SPECIAL, '\\$&')
  return `"${escaped}"`
}

function shorten(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}...` : text
}
