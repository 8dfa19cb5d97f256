import { createHash } from 'node:crypto'
import type { Request } from 'express'
import { hasBody } from './body.js'

/** Longer bodies are not told from each other. */
const LONGEST_BODY = 1_048_576

/** How long the rest of a body is waited for that nobody has read, in milliseconds. */
const LONGEST_WAIT = 3_000

/**
 * The SHA-256 of a body, once it is whole. `undefined`: it cannot be told, because it is too long, or was taken by
 * somebody who has not left all of it in `req.body`. `incomplete`: it did not come to its end.
 */
export type BodyDigest = string | undefined | 'incomplete'

/**
 * Follows a body while the handlers of a route read it, in whatever way; what none of them has read is read when the
 * digest is asked for.
 */
export function followBody(req: Request): () => Promise<BodyDigest> {
  if (req.readableDidRead || req.readableEnded) return async () => digestOfParsed(req)
  const hash = createHash('sha256')
  let length = 0
  const { emit } = req
  // Every way to read a stream makes it emit what it hands out.
  req.emit = function emitFollowed(name: string | symbol, ...args: unknown[]): boolean {
    if (name === 'data') {
      const chunk = bytesOf(args[0], req.readableEncoding)
      length += chunk.length
      if (length <= LONGEST_BODY) hash.update(chunk)
    }
    return Reflect.apply(emit, req, [name, ...args]) as boolean
  }
  return async () => {
    if (!(await isWhole(req))) return 'incomplete'
    return length > LONGEST_BODY ? undefined : hash.copy().digest('base64url')
  }
}

function bytesOf(chunk: unknown, encoding: BufferEncoding | null): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk), encoding ?? 'utf8')
}

/** What a parser before us has left. Of a form with files that may be half of it. */
function digestOfParsed(req: Request): string | undefined {
  const body: unknown = req.body
  if (/^multipart\//i.test(req.headers['content-type'] ?? '')) return undefined
  if (body === undefined && hasBody(req)) return undefined
  const content = body instanceof Uint8Array ? body : jsonOf(body)
  return content === undefined ? undefined : createHash('sha256').update(content).digest('base64url')
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value ?? null)
  } catch {
    return undefined
  }
}

function isWhole(req: Request): Promise<boolean> {
  if (req.readableEnded) return Promise.resolve(true)
  if (req.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(false), LONGEST_WAIT)
    const onEnd = () => finish(true)
    const onBreak = () => finish(false)
    function finish(whole: boolean): void {
      clearTimeout(timer)
      req.off('end', onEnd).off('error', onBreak).off('close', onBreak)
      resolve(whole)
    }
    req.once('end', onEnd).once('error', onBreak).once('close', onBreak).resume()
  })
}
