import type { ServerHttp2Stream } from 'node:http2'
import express, { type Request, type Response } from 'express'
import { ConfigurationError, malformed, type ProvisioningError, type Reason } from '../base/errors.js'
import { isObject, parseJson } from '../base/object.js'
import type { Parameters } from '../base/request.js'
import type { Claims } from '../jose/jws.js'

const MEDIA_TYPES = {
  form: 'application/x-www-form-urlencoded',
  json: 'application/json',
} as const

type BodyKind = keyof typeof MEDIA_TYPES

/** Longer bodies are refused before they are read. */
const MAX_BYTES = 32 * 1024

// We parse bodies ourselves, because the errors of a body parser contain the body, and with it the key.
const readText = express.text({
  type: () => true,
  limit: MAX_BYTES,
  inflate: false,
  defaultCharset: 'utf-8',
})

/**
 * Reads a form.
 *
 * @throws ProvisioningError `parameter_repeated`, `parameter_malformed`, and for the body as a whole
 *   `media_type_unsupported`, `body_malformed`, `body_too_large`, `body_incomplete`
 */
export async function readForm(req: Request, res: Response): Promise<Parameters> {
  const body = await readObject(req, res, 'form')
  return typeof body === 'string' ? parseForm(body) : parametersOf(Object.entries(body))
}

/**
 * Reads a JSON object.
 *
 * @throws ProvisioningError `parameter_repeated`, and for the body as a whole the same as `readForm`
 */
export async function readJson(req: Request, res: Response): Promise<Claims> {
  const body = await readObject(req, res, 'json')
  return typeof body === 'string' ? objectOf(parseBody(body)) : body
}

/** Reads a JSON object. A missing body counts as an empty object. */
export async function readOptionalJson(req: Request, res: Response): Promise<Claims> {
  const body = await readObject(req, res, 'json')
  return body === '' ? {} : typeof body === 'string' ? objectOf(parseBody(body)) : body
}

/**
 * Reads a form, a JSON object, or a list of JSON objects, as a list.
 *
 * @throws ProvisioningError the same as `readForm` and `readJson`
 */
export async function readFormOrJson(req: Request, res: Response): Promise<readonly Claims[]> {
  if (mediaTypeOf(req) !== MEDIA_TYPES.json) return [Object.fromEntries(await readForm(req, res))]
  const body = await readBody(req, res, 'json')
  const parsed = typeof body === 'string' ? parseBody(body) : body
  return Array.isArray(parsed) ? parsed.map(objectOf) : [objectOf(parsed)]
}

async function readObject(req: Request, res: Response, kind: BodyKind): Promise<string | Claims> {
  const body = await readBody(req, res, kind)
  if (!Array.isArray(body)) return body as string | Claims
  throw malformed('body_malformed', `The body is not ${MEDIA_TYPES[kind]}.`)
}

/** Returns the text of the body, or the object or list that an earlier parser made of it. Removes both from `req`. */
async function readBody(req: Request, res: Response, kind: BodyKind): Promise<string | object> {
  const parsedBefore: unknown = req.body
  req.body = {}
  requireMediaType(req, kind)
  if (req.readableEnded && parsedBefore === undefined && hasBody(req))
    throw new ConfigurationError([READ_BEFORE])
  const body = req.readableEnded ? parsedBefore : await readAsText(req, res)
  if (body === undefined || body === null) return ''
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body.toString('utf8')
  // Express 4 sets an empty object if there is no body.
  if (typeof body === 'object') return hasBody(req) ? body : ''
  throw malformed('body_malformed', `The body is not ${MEDIA_TYPES[kind]}.`)
}

const READ_BEFORE =
  'req.body: expected the body, got undefined, because an earlier middleware has read the request. Put ' +
  'app.use(keys.router()) before this middleware'

async function readAsText(req: Request, res: Response): Promise<unknown> {
  const fault = await new Promise<unknown>((resolve) => {
    const isUnannounced = hasBody(req) && !isAnnounced(req)
    // Body parsers skip a body that no header announces. They look for the header immediately.
    if (isUnannounced) req.headers['transfer-encoding'] = 'chunked'
    readText(req, res, resolve)
    if (isUnannounced) delete req.headers['transfer-encoding']
  })
  const body: unknown = req.body
  req.body = {}
  if (fault !== undefined) throw bodyRefusal(fault) ?? fault
  return body
}

/** Whether a request has a body at all (RFC 9112 6). Over HTTP/2, a body needs no header (RFC 9113 8.1.1). */
export function hasBody(req: Request): boolean {
  const stream = streamOf(req)
  return stream === undefined ? isAnnounced(req) : !stream.endAfterHeaders
}

/** The stream of a request over HTTP/2. A request over HTTP/1.1 has none. */
export function streamOf(req: Request): ServerHttp2Stream | undefined {
  const { stream } = req as { readonly stream?: ServerHttp2Stream }
  return stream?.endAfterHeaders === undefined ? undefined : stream
}

function isAnnounced({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function requireMediaType(req: Request, kind: BodyKind): void {
  const [, ...parameters] = contentType(req)
  // Body parsers also accept other spellings of a charset, so we accept only the usual one.
  const named = parameters.map((one) => one.trim()).filter((one) => one.includes('charset'))
  const isUtf8 = named.every((one) => /^charset="?utf-8"?$/.test(one))
  if ((mediaTypeOf(req) === MEDIA_TYPES[kind] && isUtf8) || !hasBody(req)) return
  throw malformed('media_type_unsupported', `Send the body as ${MEDIA_TYPES[kind]} in UTF-8.`)
}

/** The media type of a body, in lower case and without its parameters. */
export function mediaTypeOf(req: Request): string | undefined {
  return contentType(req)[0]?.trim()
}

/** The media type, and then its parameters. */
function contentType({ headers }: Request): readonly string[] {
  return (headers['content-type'] ?? '').toLowerCase().split(';')
}

/** `URLSearchParams` would accept broken percent-encodings. */
function parseForm(text: string): Parameters {
  const pairs = text.split('&').filter((pair) => pair !== '')
  return parametersOf(
    pairs.map((pair) => {
      const [name = '', ...value] = pair.split('=')
      return [decode(name), decode(value.join('='))]
    }),
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('parameter_malformed', 'The form contains a broken percent-encoding.')
  }
}

function parametersOf(entries: readonly (readonly [string, unknown])[]): Parameters {
  const parameters = new Map<string, string>()
  const seen = new Set<string>()
  for (const [name, value] of entries) {
    // RFC 6749 3.2: a parameter must not repeat. A parameter without a value counts as omitted.
    if (seen.has(name) || Array.isArray(value))
      throw malformed('parameter_repeated', 'A parameter is sent twice.')
    if (typeof value !== 'string')
      throw malformed('parameter_malformed', 'A parameter is not a plain string.')
    seen.add(name)
    if (value !== '') parameters.set(name, value)
  }
  return parameters
}

function parseBody(text: string): unknown {
  const value = parseJson(text)
  if (value === undefined) throw malformed('body_malformed', 'The body is not JSON.')
  if (hasMemberTwice(text)) throw malformed('parameter_repeated', 'A member of the body is sent twice.')
  return value
}

/** The JSON tokens that are needed to find member names: strings, brackets and colons. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g

/**
 * Whether an object in a JSON text, at any depth, has a member twice. Parsers disagree about which of the two counts
 * (RFC 8259 4), so an earlier reader of the text could see a different request.
 *
 * @param json text that `JSON.parse` accepts
 */
export function hasMemberTwice(json: string): boolean {
  // The names so far in each open object. `undefined` for a list.
  const open: (Set<string> | undefined)[] = []
  let text = ''
  for (const [token] of json.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const names = open.at(-1)
      const name = JSON.parse(text) as string
      if (names?.has(name)) return true
      names?.add(name)
    } else text = token
  }
  return false
}

function objectOf(value: unknown): Claims {
  if (isObject(value)) return value
  throw malformed('body_malformed', 'The body is not a JSON object.')
}

/** The error types of body-parser, and our refusals for them. */
const PARSER_ERRORS: Readonly<Record<string, readonly [Reason, string]>> = {
  'entity.too.large': ['body_too_large', 'The body is too large.'],
  'parameters.too.many': ['body_too_large', 'The body has too many parameters.'],
  'encoding.unsupported': ['media_type_unsupported', 'The Content-Encoding of the body is not supported.'],
  'charset.unsupported': ['media_type_unsupported', 'The charset of the body is not supported.'],
  'entity.parse.failed': ['body_malformed', 'The body cannot be parsed.'],
  'entity.verify.failed': ['body_malformed', 'The body cannot be parsed.'],
  'querystring.parse.rangeError': ['body_malformed', 'The body cannot be parsed.'],
  'request.size.invalid': [
    'body_incomplete',
    'The body does not have the length that the request announces.',
  ],
  'request.aborted': ['body_incomplete', 'The request ended before its body did.'],
}

/** Turns the error of a body parser into a refusal without the body. Returns `undefined` for other errors. */
export function bodyRefusal(error: unknown): ProvisioningError | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { type, status, code } = error as { type?: unknown; status?: unknown; code?: unknown }
  // If decompression fails, body parsers pass on zlib's own error, which has no type.
  if (status === 400 && typeof code === 'string' && /^(Z_|ERR_BROTLI|ERR__ERROR_FORMAT)/.test(code)) {
    return malformed('body_malformed', 'The body is not in the encoding that it announces.')
  }
  const known =
    typeof type === 'string' && Object.hasOwn(PARSER_ERRORS, type) ? PARSER_ERRORS[type] : undefined
  return known === undefined ? undefined : malformed(...known)
}
