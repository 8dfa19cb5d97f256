import { createHash } from 'node:crypto'
import type { Request, Response } from 'express'
import { malformed } from '../base/errors.js'
import { hasBody, mediaTypeOf, streamOf } from './body.js'

/** Longer bodies are not held in memory. They have no digest, so a repeated request cannot be recognised by it. */
const MAX_HELD_BYTES = 1_048_576

/** Bodies up to this length do not count against `SHARED_BYTES`, because Node buffers as much for each connection. */
const FREE_BYTES = 16_384

/** The memory that all longer bodies of one instance share. */
const SHARED_BYTES = 64 * 1_048_576

/** The body of a request whose key is about to be reserved. */
export interface ReceivedBody {
  /** Whether the whole body has arrived. A longer body continues to arrive while the handler runs. */
  readonly isWhole: boolean
  /**
   * SHA-256 of the body, made when it is read. `undefined` if the body is too long, or if a parser has left only a part
   * of it.
   */
  readonly digest: string | undefined
  /** Whether no memory was left for the body. Its digest is then unknown, although the body may be short. */
  readonly isCrowdedOut?: boolean
}

/** Receives bodies, each within a time limit in milliseconds. */
export type ReceiveBody = (req: Request, milliseconds: number) => Promise<ReceivedBody>

/**
 * Makes the function that waits for a body before the key is reserved. The sender decides how long the body takes, but
 * must not decide how long the key is reserved. The body is then put back into the request, for any parser.
 *
 * A body of more than 1 MiB is passed on while it arrives. So is a body for which no memory is left.
 *
 * @throws ProvisioningError `body_incomplete` when the body ends early or takes too long
 */
export function bodyReceiver(): ReceiveBody {
  const room = { left: SHARED_BYTES }

  return async function receiveBody(req, milliseconds) {
    if (!hasBody(req)) return whole(() => sha256(''))
    if (req.readableEnded) return whole(() => digestOfParsed(req))
    const held = isBeingRead(req) ? 'long' : await holdBody(req, milliseconds, room)
    if (typeof held !== 'string') return whole(() => sha256(held))
    return { isWhole: false, digest: undefined, ...(held === 'crowded' && { isCrowdedOut: true }) }
  }
}

/** Whether a middleware before us reads the body already. It must not see any part of it twice. */
function isBeingRead(req: Request): boolean {
  const readers = req.listenerCount('data') + req.listenerCount('readable')
  return req.readableDidRead || readers > 0 || req.readableEncoding !== null
}

/** Whether the whole body has arrived. Over HTTP/2, `complete` says only whether it was read. */
function hasArrived(req: Request): boolean {
  return !isCutOff(req) && (streamOf(req)?.readableEnded ?? req.complete)
}

/** Whether the client has given up a request over HTTP/2. Node then ends the body as if all of it had arrived. */
const isCutOff = (req: Request) => streamOf(req)?.aborted === true

function whole(digestOf: () => string | undefined): ReceivedBody {
  return {
    isWhole: true,
    get digest() {
      return digestOf()
    },
  }
}

/** The part of a body that has arrived. Beyond `FREE_BYTES` it takes room that all bodies share. */
class HeldChunks {
  readonly #room: { left: number }
  readonly #chunks: Buffer[] = []
  #length = 0

  constructor(room: { left: number }) {
    this.#room = room
  }

  get #taken(): number {
    return Math.max(0, this.#length - FREE_BYTES)
  }

  /** Why no more of the body is held. */
  get excess(): 'long' | 'crowded' | undefined {
    if (this.#length > MAX_HELD_BYTES) return 'long'
    return this.#room.left < 0 ? 'crowded' : undefined
  }

  add(chunk: Buffer): void {
    const before = this.#taken
    this.#chunks.push(chunk)
    this.#length += chunk.length
    this.#room.left -= this.#taken - before
  }

  /** Gives the room back, and returns what has arrived. */
  end(): Buffer {
    this.#room.left += this.#taken
    return Buffer.concat(this.#chunks)
  }
}

/** Reads a body and puts it back. Resolves with the excess if the body is too long, or if no memory is left. */
function holdBody(
  req: Request,
  milliseconds: number,
  room: { left: number },
): Promise<Uint8Array | 'long' | 'crowded'> {
  const held = new HeldChunks(room)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish('late'), milliseconds)
    function finish(how: 'whole' | 'long' | 'crowded' | 'late' | 'broken'): void {
      clearTimeout(timer)
      req.off('readable', read).off('error', broken).off('close', broken)
      const body = held.end()
      if (how === 'late' || how === 'broken') return void reject(INCOMPLETE[how])
      // Do this in the same turn as the last `read()`, before the stream ends.
      if (body.length > 0) req.unshift(body)
      resolve(how === 'whole' ? body : how)
    }
    function read(): void {
      while (req.readableLength > 0 && held.excess === undefined) {
        const chunk: Buffer | null = req.read()
        if (chunk === null) break
        held.add(chunk)
      }
      if (held.excess !== undefined) finish(held.excess)
      else if (hasArrived(req)) finish('whole')
    }
    const broken = () => finish('broken')
    if (req.destroyed) broken()
    else if (hasArrived(req) && req.readableLength === 0) finish('whole')
    else req.on('readable', read).once('error', broken).once('close', broken)
  })
}

const INCOMPLETE = {
  late: malformed('body_incomplete', 'The body takes too long. Send all of it soon after the headers.'),
  broken: malformed('body_incomplete', 'The connection ended before the body did.'),
}

/**
 * Drops the unread rest of a body after the answer. Node does this too, but not for a body that was partly read. Such a
 * connection would wait and keep the body in memory.
 */
export function dropUnread(req: Request, res: Response): void {
  res.once('finish', () => {
    const isRead = req.listenerCount('data') + req.listenerCount('readable') > 0
    if (!isRead) req.resume()
  })
}

/**
 * Pauses a body that an earlier middleware lets flow. Returns the function that resumes it. Otherwise a later parser
 * would miss the data that arrives while a guard waits.
 */
export function pauseFlow(req: Request): () => void {
  if (req.readableFlowing !== true || req.readableEnded) return () => undefined
  req.pause()
  return () => void req.resume()
}

/** Whether the client has closed the connection. Body parsers skip an unread body when only its half is closed. */
export function isGone(req: Request, res: Response): boolean {
  const isUnreadable = req.socket.readable === false && hasBody(req) && !req.readableEnded
  return res.destroyed || req.readableAborted || isUnreadable || isCutOff(req)
}

/** The digest of what a parser has left. `undefined` if that may be a part of the body only, as for a form with files. */
function digestOfParsed(req: Request): string | undefined {
  const { body } = req
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string' || body instanceof Uint8Array) return sha256(body)
  return PLAIN.test(mediaTypeOf(req) ?? '') ? jsonDigest(body) : undefined
}

/** Media types that parsers turn into plain objects without loss. */
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

/**
 * Delays the end of a body until `check` has passed, so that a handler that waits for its body cannot start too late.
 * If the check fails, `refuse` answers the request and the body never ends.
 */
export function checkAtEnd(
  req: Request,
  res: Response,
  check: () => Promise<void>,
  refuse: (error: unknown) => void,
): void {
  if (hasArrived(req)) return
  const push = req.push.bind(req)
  // Node's parser ends every body by `push(null)`.
  req.push = function pushChecked(chunk: unknown, encoding?: BufferEncoding): boolean {
    // If the request is answered, no handler can start.
    if (chunk !== null || isAnswered(res)) return push(chunk, encoding)
    if (isCutOff(req)) return false
    check().then(
      () => push(null),
      (error) => {
        if (isAnswered(res)) return push(null)
        endAfterAnswer(req, res)
        refuse(error)
        return false
      },
    )
    return false
  }
}

function isAnswered(res: Response): boolean {
  return res.headersSent || res.writableEnded
}

/** Closes the connection after the answer, because its body never ends. */
function endAfterAnswer(req: Request, res: Response): void {
  res.once('finish', () => req.destroy())
}

/**
 * Closes the connection if the body is incomplete after this time, unless the request has been answered.
 *
 * @param onAbort is called before the connection is closed
 */
export function abortSlowBody(req: Request, res: Response, milliseconds: number, onAbort: () => void): void {
  if (hasArrived(req)) return
  const timer = setTimeout(() => {
    if (hasArrived(req) || isAnswered(res)) return
    onAbort()
    req.destroy()
  }, milliseconds)
  res.once('close', () => clearTimeout(timer))
}
