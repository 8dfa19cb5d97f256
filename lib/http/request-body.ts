import { createHash } from 'node:crypto'
import type { Request, Response } from 'express'
import { hasBody } from './body.js'

/** Longer bodies are not told from each other. */
const LONGEST_BODY = 1_048_576

/** How long more of a body is waited for that nobody has read, in milliseconds. */
const LONGEST_SILENCE = 3_000

/**
 * The SHA-256 of a body, once it is whole. `undefined`: it cannot be told, because it is too long, or was taken by
 * somebody who has not left all of it in `req.body`. `incomplete`: it did not come to its end.
 */
export type BodyDigest = string | undefined | 'incomplete'

/**
 * Follows a body while the handlers of a route read it, in whatever way; what none of them has read is read when the
 * digest is asked for.
 *
 * @param milliseconds how long from now on it is waited for, however slowly it comes
 */
export function followBody(req: Request, milliseconds: number): () => Promise<BodyDigest> {
  const end = performance.now() + milliseconds
  // To be judged now: handlers may change what a parser has left.
  const known = knownDigest(req)
  if (known !== 'unread') return async () => known
  const seen = digesting()
  const { emit } = req
  // Every way to read a stream makes it emit what it hands out.
  req.emit = function emitFollowed(name: string | symbol, ...args: unknown[]): boolean {
    if (name === 'data') seen.add(args[0], req.readableEncoding)
    return Reflect.apply(emit, req, [name, ...args]) as boolean
  }
  return async () => {
    if (!(await isWhole(req, seen, end))) return 'incomplete'
    return seen.isTold() ? seen.digest() : undefined
  }
}

/**
 * Breaks a body off that has not come to its end in time, unless it has been answered without that: who sends it decides
 * how long its handler waits, and must not be able to have it begin when another attempt may have taken its place.
 */
export function breakOffLate(req: Request, res: Response, milliseconds: number): void {
  if (req.complete) return
  const timer = setTimeout(() => {
    const isAnswered = res.headersSent || res.writableEnded
    if (!req.complete && !isAnswered) req.destroy()
  }, milliseconds)
  res.once('close', () => clearTimeout(timer))
}

function knownDigest(req: Request): string | undefined | 'unread' {
  // That a request without a body has ended shows only when it is read.
  if (!hasBody(req)) return sha256('')
  return req.readableDidRead || req.readableEnded ? digestOfParsed(req) : 'unread'
}

/** What a parser before us has left. Of a form with files that may be half of it, of other objects nothing. */
function digestOfParsed({ body, headers }: Request): string | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string' || body instanceof Uint8Array) return sha256(body)
  const [type = ''] = (headers['content-type'] ?? '').toLowerCase().split(';')
  return PLAIN.test(type.trim()) ? jsonDigest(body) : undefined
}

/** What becomes plain objects, and nothing gets lost. */
const PLAIN = /^application\/(?:json|[^/\s]+\+json|x-www-form-urlencoded)$/

function jsonDigest(body: unknown): string | undefined {
  try {
    return sha256(JSON.stringify(body))
  } catch {
    return undefined
  }
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url')
}

/** What has been handed out so far. */
interface Seen {
  add(chunk: unknown, encoding: BufferEncoding | null): void
  length(): number
  /** Whether it can be told from others. */
  isTold(): boolean
  digest(): string
}

function digesting(): Seen {
  const hash = createHash('sha256')
  let length = 0
  let isLossless = true
  return {
    add(chunk, encoding) {
      const isText = typeof chunk === 'string'
      if (isText && (encoding === 'ascii' || chunk.includes('\ufffd'))) isLossless = false
      const bytes = isText ? Buffer.from(chunk, encoding ?? 'utf8') : (chunk as Uint8Array)
      length += bytes.length
      if (length <= LONGEST_BODY) hash.update(bytes)
    },
    length: () => length,
    isTold: () => isLossless && length <= LONGEST_BODY,
    digest: () => hash.copy().digest('base64url'),
  }
}

/** Reads what is left, for as long as more of it comes and it can be told, but not beyond `end`. */
function isWhole(req: Request, seen: Seen, end: number): Promise<boolean> {
  if (req.readableEnded || !seen.isTold()) return Promise.resolve(true)
  if (req.destroyed) return Promise.resolve(hasCome(req, seen))
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(false), LONGEST_SILENCE)
    const last = setTimeout(() => finish(false), Math.max(0, end - performance.now()))
    const onData = () => void (seen.isTold() ? timer.refresh() : finish(true))
    const onEnd = () => finish(true)
    const onBreak = () => finish(hasCome(req, seen))
    function finish(whole: boolean): void {
      clearTimeout(timer)
      clearTimeout(last)
      req.off('data', onData).off('end', onEnd).off('error', onBreak).off('close', onBreak)
      resolve(whole)
    }
    req.on('data', onData).once('end', onEnd).once('error', onBreak).once('close', onBreak).resume()
  })
}

/** Whether all of a body had come, and waited to be read, when its connection broke. */
function hasCome(req: Request, seen: Seen): boolean {
  if (!req.complete) return false
  for (
    let before = seen.length(), chunk = req.read();
    chunk !== null;
    before = seen.length(), chunk = req.read()
  )
    // What is read after a fault is not told to those who listen.
    if (seen.length() === before) seen.add(chunk, req.readableEncoding)
  return String(seen.length()) === req.headers['content-length']
}
