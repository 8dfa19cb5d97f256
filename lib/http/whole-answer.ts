import type { OutgoingHttpHeaders } from 'node:http'
import type { Response } from 'express'

/** Headers that are new in an answer, or differ from before it; `null`: one that it has taken away. */
type HeaderChanges = Readonly<Record<string, string | readonly string[] | null>>

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
  const after = merged(heads.after, rest.at(-1))
  if (after.trailer !== undefined) return undefined
  const headers = changes(heads.before, after)
  const chunks = written.flatMap(([name, args]) => (name === 'write' || name === 'end' ? bytesOf(args) : []))
  return { status: Number(status), statusMessage, headers, body: Buffer.concat(chunks) }
}

/** With the headers that `writeHead` was given: an object, or a list of names and values. */
function merged(set: OutgoingHttpHeaders, given: unknown): OutgoingHttpHeaders {
  const all = { ...set }
  if (typeof given !== 'object' || given === null) return all
  const flat = Array.isArray(given) ? given.flat() : Object.entries(given).flat()
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = String(flat[i]).toLowerCase()
    const value = flat[i + 1] as string | number | string[]
    const isRepeated =
      Array.isArray(given) && flat.slice(0, i).some((one, at) => at % 2 === 0 && isName(one, name))
    all[name] = isRepeated ? [all[name], value].flat().map(String) : value
  }
  return all
}

function isName(text: unknown, name: string): boolean {
  return String(text).toLowerCase() === name
}

function changes(before: OutgoingHttpHeaders, after: OutgoingHttpHeaders): HeaderChanges {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const changed = [...names]
    .filter((name) => !OF_THE_MOMENT.includes(name) && !isSame(before[name], after[name]))
    .map((name) => [name, textOf(after[name])] as const)
  return Object.fromEntries(changed)
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function textOf(value: number | string | string[] | undefined): string | readonly string[] | null {
  if (value === undefined) return null
  return Array.isArray(value) ? value : String(value)
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
  const { status, statusMessage, headers, body } = decodeAnswer(bytes)
  res.statusCode = status
  if (statusMessage) res.statusMessage = statusMessage
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) res.removeHeader(name)
    else res.setHeader(name, value)
  }
  res.end(body)
}
