import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Response } from 'express'

/** The change of a header in an answer: a new value, added values, or `null` if it is removed. */
type Change = string | readonly string[] | { readonly added: readonly string[] } | null

/** Headers that are new in an answer, or differ from before it. */
type HeaderChanges = Readonly<Record<string, Change>>

type Value = OutgoingHttpHeader | undefined

/** A complete answer, without the headers that earlier middlewares had set. */
export interface WholeAnswer {
  readonly status: number
  readonly statusMessage: string
  readonly headers: HeaderChanges
  readonly body: Buffer
}

export interface Head {
  readonly status: number
  /** Empty or `undefined` where Node says what belongs to the status. */
  readonly statusMessage: string
  readonly headers: OutgoingHttpHeaders
}

export function headOf(res: Response): Head {
  const { statusCode: status, statusMessage } = res
  return { status, statusMessage, headers: res.getHeaders() }
}

/**
 * The head that `writeHead` would make with these arguments, or the first output without it.
 *
 * @throws what Node would throw, so that a head that cannot be written fails in the handler, not after it
 */
export function headToBe(res: Response, written: readonly unknown[]): Head {
  const { statusCode } = res
  const isUsual = written.length === 0 && !res.statusMessage && statusCode >= 100 && statusCode <= 999
  // Node has checked these headers already, so no trial is needed.
  if (isUsual && Number.isInteger(statusCode)) return headOf(res)
  const trial = new ServerResponse(res.req)
  // Node keeps the headers of `writeHead` only where there are others.
  trial.setHeader('Date', '')
  for (const name of res.getHeaderNames()) trial.setHeader(name, res.getHeader(name) ?? '')
  const phrase = res.statusMessage ? [res.statusMessage] : []
  Reflect.apply(trial.writeHead, trial, written.length > 0 ? written : [res.statusCode, ...phrase])
  const [, message] = written
  const statusMessage = typeof message === 'string' ? message : res.statusMessage
  return { status: trial.statusCode, statusMessage, headers: trial.getHeaders() }
}

/** They belong to one connection, or to one moment. */
const OF_THE_MOMENT: readonly string[] = ['connection', 'keep-alive', 'transfer-encoding', 'date']

/**
 * The answer that one call of `end` completes; `undefined` for one with trailers, which cannot be written again.
 *
 * @param before the head before the handler
 */
export function wholeAnswer(before: Head, head: Head, end: readonly unknown[]): WholeAnswer | undefined {
  if (head.headers.trailer !== undefined) return undefined
  const { status, statusMessage } = head
  return { status, statusMessage, headers: changes(before.headers, head.headers), body: lastBytesOf(end) }
}

function changes(before: OutgoingHttpHeaders, after: OutgoingHttpHeaders): HeaderChanges {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const changed = [...names]
    .filter((name) => !OF_THE_MOMENT.includes(name) && !isSame(before[name], after[name]))
    .map((name) => [name, changeOf(name, before[name], after[name])] as const)
  return Object.fromEntries(changed)
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function changeOf(name: string, before: Value, after: Value): Change {
  if (after === undefined) return null
  // Keep only the handler's own cookies. A repeated answer must not restore the old cookies of other middlewares.
  const [own, all] = [textsOf(before), textsOf(after)]
  if (name === 'set-cookie' && isSame(own, all.slice(0, own.length))) return { added: all.slice(own.length) }
  return Array.isArray(after) ? all : String(after)
}

function textsOf(value: Value): readonly string[] {
  return [value ?? []].flat().map(String)
}

/**
 * The bytes that `write` is given.
 *
 * @throws what Node would throw, so that a body that cannot be written fails in the handler, not after it
 */
export function bytesOf([chunk, encoding]: readonly unknown[]): Buffer {
  if (typeof encoding === 'string' && encoding !== 'buffer' && !Buffer.isEncoding(encoding))
    throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' })
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  const message = 'The chunk must be a string, a Buffer or a Uint8Array.'
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}

export function lastBytesOf(args: readonly unknown[]): Buffer {
  const [chunk] = args
  const isNone = chunk === undefined || chunk === null || typeof chunk === 'function'
  return isNone ? Buffer.alloc(0) : bytesOf(args)
}

/** As bytes: a line of JSON, then the body. */
export function encodeAnswer({ body, ...head }: WholeAnswer): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body])
}

function decodeAnswer(bytes: Buffer): WholeAnswer {
  const end = bytes.indexOf('\n')
  const head = JSON.parse(bytes.subarray(0, end).toString()) as Omit<WholeAnswer, 'body'>
  return { ...head, body: bytes.subarray(end + 1) }
}

/** Repeats an answer that `encodeAnswer` has encoded. */
export function answerAgain(res: Response, bytes: Buffer): void {
  writeAnswer(res, decodeAnswer(bytes))
}

export function writeAnswer(res: Response, { status, statusMessage, headers, body }: WholeAnswer): void {
  res.statusCode = status
  if (statusMessage) res.statusMessage = statusMessage
  for (const [name, change] of Object.entries(headers)) {
    if (change === null) res.removeHeader(name)
    else res.setHeader(name, renewed(change, res.getHeader(name)))
  }
  res.end(body)
}

function renewed(change: NonNullable<Change>, before: Value): string | readonly string[] {
  return typeof change === 'object' && 'added' in change ? [...textsOf(before), ...change.added] : change
}
