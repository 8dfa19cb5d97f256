import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Response } from 'express'

/** What an answer makes of a header: another one; more of them; `null`: none. */
type Change = string | readonly string[] | { readonly added: readonly string[] } | null

/** Headers that are new in an answer, or differ from before it. */
type HeaderChanges = Readonly<Record<string, Change>>

type Value = OutgoingHttpHeader | undefined

/** An answer from its first to its last byte, without what others had put on it before. */
export interface WholeAnswer {
  readonly status: number
  readonly statusMessage: string
  readonly headers: HeaderChanges
  readonly body: Buffer
}

/** What a handler has called to write an answer. */
export type Written = readonly (readonly [name: string, args: readonly unknown[]])[]

interface Heads {
  readonly before: OutgoingHttpHeaders
  readonly after: OutgoingHttpHeaders
  readonly statusCode: number
  readonly statusMessage: string
}

/** They belong to one connection, or to one moment. */
const OF_THE_MOMENT: readonly string[] = ['connection', 'keep-alive', 'transfer-encoding', 'date']

/** Puts together what was written; `undefined` for what cannot be written again like that. */
export function wholeAnswer(written: Written, heads: Heads): WholeAnswer | undefined {
  const headArgs = written.find(([name]) => name === 'writeHead')?.[1] ?? []
  const [status = heads.statusCode, ...rest] = headArgs
  const statusMessage = typeof rest[0] === 'string' ? rest[0] : heads.statusMessage
  if (heads.after.trailer !== undefined) return undefined
  const headers = changes(heads.before, heads.after)
  const chunks = written.flatMap(([name, args]) => (name === 'write' || name === 'end' ? bytesOf(args) : []))
  return { status: Number(status), statusMessage, headers, body: Buffer.concat(chunks) }
}

/**
 * The headers of the head that `writeHead` would make, or the first output without it.
 *
 * @throws what Node would throw
 */
export function headersToBe(res: Response, written: readonly unknown[]): OutgoingHttpHeaders {
  const trial = new ServerResponse(res.req)
  for (const name of res.getHeaderNames()) trial.setHeader(name, res.getHeader(name) ?? '')
  const phrase = res.statusMessage ? [res.statusMessage] : []
  const head = written.length > 0 ? written : [res.statusCode, ...phrase]
  Reflect.apply(trial.writeHead, trial, head)
  // Where none was set before, Node writes what it is handed without keeping it.
  return trial.getHeaderNames().length > 0 ? trial.getHeaders() : named(written.at(-1))
}

/** Headers in an object, in a list of pairs, or in a list in which names and values take turns. */
function named(given: unknown): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = {}
  for (const [title, value] of pairsOf(given)) {
    const name = String(title).toLowerCase()
    all[name] = all[name] === undefined ? value : [all[name], value ?? []].flat().map(String)
  }
  return all
}

function pairsOf(given: unknown): readonly (readonly [name: unknown, value: Value])[] {
  if (typeof given !== 'object' || given === null) return []
  if (!Array.isArray(given)) return Object.entries(given)
  if (Array.isArray(given[0])) return given
  return given.flatMap((name, i) => (i % 2 === 0 ? [[name, given[i + 1]] as const] : []))
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
  // Each cookie is for itself: those of others are not to be brought back from the first time.
  const [own, all] = [textsOf(before), textsOf(after)]
  if (name === 'set-cookie' && isSame(own, all.slice(0, own.length))) return { added: all.slice(own.length) }
  return Array.isArray(after) ? all : String(after)
}

function textsOf(value: Value): readonly string[] {
  return [value ?? []].flat().map(String)
}

function bytesOf([chunk, encoding]: readonly unknown[]): Uint8Array[] {
  if (chunk instanceof Uint8Array) return [chunk]
  if (typeof chunk !== 'string') return []
  return [Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')]
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

/** Writes an answer once more, as `encodeAnswer` kept it. */
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
