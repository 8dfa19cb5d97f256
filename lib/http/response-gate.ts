import type { Response } from 'express'
import { headersToBe, type WholeAnswer, wholeAnswer } from './whole-answer.js'

type AnyFunction = (...args: unknown[]) => unknown
type Methods = Readonly<Record<string, AnyFunction>>
type Output = 'writeHead' | 'flushHeaders' | 'write' | 'end'

const OUTPUTS: readonly Output[] = ['writeHead', 'flushHeaders', 'write', 'end']
/** What changes the head of an answer; after the first output it changes nothing, as Node has it. */
const CHANGES = ['setHeader', 'appendHeader', 'removeHeader', 'setHeaders']

/** How long a gate waits for an answer to be whole before it decides. */
export interface Patience {
  readonly bytes: number
  /** From the first output on. */
  readonly milliseconds: number
  /** Which answers are waited for, by their status. */
  readonly with: (status: number) => boolean
}

/** Is told the status of an answer, and all of it where the gate has waited for that. */
export type Decide = (status: number, whole: WholeAnswer | undefined) => void

/**
 * A gate before a response: its output is held back until it is let through, or replaced by another answer.
 *
 * Other middlewares may replace the response's methods before and after us, and keep ours for good: so ours stay in
 * place and look at the state of the gate, and reach the ones before them by reference.
 */
export class ResponseGate {
  readonly #res: Response
  readonly #decide: Decide
  readonly #patience: Patience | undefined
  readonly #before: Methods
  readonly #headBefore: Head
  readonly #held: (readonly [Output, unknown[]])[] = []
  #state: 'holding' | 'open' | 'replaced' = 'holding'
  #head: Head | undefined
  #bytes = 0
  #hasEnded = false
  #isDecided = false
  #timer: NodeJS.Timeout | undefined

  /** @param decide is called once, when the handler begins to answer, or has answered what is waited for */
  constructor(res: Response, decide: Decide, patience?: Patience) {
    this.#res = res
    this.#decide = decide
    this.#patience = patience
    this.#before = methodsOf(res)
    this.#headBefore = headOf(res)
    for (const name of OUTPUTS)
      Object.assign(res, { [name]: (...args: unknown[]) => this.#output(name, args) })
    for (const name of CHANGES)
      Object.assign(res, { [name]: (...args: unknown[]) => this.#change(name, args) })
    Object.defineProperty(res, 'writableEnded', { get: () => this.#hasEnded, configurable: true })
    Object.defineProperty(res, 'headersSent', { get: () => this.#hasBegun, configurable: true })
  }

  /** An answer has begun that is not whole: whoever asks must not try to write another in its place. */
  get #hasBegun(): boolean {
    return this.hasOutput && !this.#hasEnded
  }

  /** Whether the handler has begun to answer. */
  get hasOutput(): boolean {
    return this.#head !== undefined
  }

  /** Writes what was held; whatever comes later goes straight through. */
  open(): void {
    const res = this.#res
    this.#state = 'open'
    tellTruth(res)
    // Later assignments change nothing once an answer has begun.
    Object.assign(res, { statusCode: this.#head?.statusCode, statusMessage: this.#head?.statusMessage })
    for (const [name, args] of this.#held.splice(0)) this.#before[name]?.apply(res, args)
    if (!this.#hasEnded && !res.writableNeedDrain) res.emit('drain')
  }

  /** Drops what was held and whatever comes later, and lets `write` answer instead. */
  replaceBy(write: () => void): void {
    const res = this.#res
    this.#state = 'replaced'
    tellTruth(res)
    for (const [, args] of this.#held.splice(0)) tellDropped(args)
    const now = methodsOf(res)
    Object.assign(res, this.#before)
    restoreHead(res, this.#headBefore)
    write()
    this.#head = headOf(res)
    Object.assign(res, now)
  }

  #output(name: Output, args: unknown[]): unknown {
    if (this.#state === 'open') return this.#before[name]?.apply(this.#res, args)
    if (name === 'writeHead' && this.#isOwnHead()) return this.#writeOwnHead()
    if (name === 'write') this.#implyHead(args)
    this.#hold(name, args)
    if (name === 'write') return this.#hasRoom()
    return name === 'flushHeaders' ? undefined : this.#res
  }

  /** Writes the head as Node does before a first `write()`, through those who have a last change to make to it. */
  #implyHead(args: unknown[]): void {
    if (this.#state !== 'holding' || this.hasOutput) return
    requireChunk('write', args)
    this.#res.writeHead(this.#res.statusCode)
  }

  /**
   * Whether the head of the answer in the place of the handler's is still to be written: one before us may pass its
   * body on later, as compression does, and Node then asks whatever `writeHead` it finds, which is ours.
   */
  #isOwnHead(): boolean {
    return this.#state === 'replaced' && !this.#res.headersSent
  }

  #writeOwnHead(): unknown {
    // Of that answer, whatever the handler has assigned since.
    Object.assign(this.#res, { statusCode: this.#head?.statusCode, statusMessage: this.#head?.statusMessage })
    return this.#before.writeHead?.apply(this.#res, [this.#res.statusCode])
  }

  #hold(name: Output, args: unknown[]): void {
    const isHeadAgain = this.hasOutput && (name === 'writeHead' || name === 'flushHeaders')
    if (this.#state === 'replaced' || this.#hasEnded || isHeadAgain) {
      tellDropped(args)
      return
    }
    const head = this.#head ?? headToBe(this.#res, name === 'writeHead' ? args : [])
    requireChunk(name, args)
    this.#held.push([name, args])
    this.#bytes += lengthOf(args[0])
    this.#hasEnded = name === 'end'
    this.#head = head
    if (this.#isDecided || this.#isWaiting(head.status, name, args)) return
    this.#isDecided = true
    clearTimeout(this.#timer)
    this.#decide(head.status, this.#hasEnded ? this.#whole(head) : undefined)
  }

  /** Whether the answer may become whole yet. Who waits for an output to be flushed means it to be on its way. */
  #isWaiting(status: number, name: Output, args: unknown[]): boolean {
    const patience = this.#patience
    const isFlushed = name === 'flushHeaders' || typeof args.at(-1) === 'function'
    if (!patience?.with(status) || this.#hasEnded || isFlushed) return false
    this.#timer ??= setTimeout(() => this.#giveUp(status), patience.milliseconds)
    return this.#bytes <= patience.bytes
  }

  #giveUp(status: number): void {
    if (this.#isDecided) return
    this.#isDecided = true
    this.#decide(status, undefined)
  }

  #whole(head: Head): WholeAnswer | undefined {
    const { headers: after, statusCode, statusMessage } = head
    return wholeAnswer(this.#held, { before: this.#headBefore.headers, after, statusCode, statusMessage })
  }

  /** Full from the mark on, as any stream: whatever of this is written in the end then answers with a 'drain'. */
  #hasRoom(): boolean {
    if (this.#state === 'replaced' || !this.#isDecided) return true
    return this.#bytes < this.#res.writableHighWaterMark
  }

  #change(name: string, args: unknown[]): unknown {
    const isFixed = this.hasOutput && this.#state !== 'open'
    if (isFixed && this.#hasBegun && this.#state === 'holding') throw headersSent(name)
    return isFixed ? this.#res : this.#before[name]?.apply(this.#res, args)
  }
}

/** From here on the response says itself how far it is. */
function tellTruth(res: Response): void {
  Reflect.deleteProperty(res, 'writableEnded')
  Reflect.deleteProperty(res, 'headersSent')
}

/** What Node throws where a head is to be changed that has gone out. */
function headersSent(name: string): Error {
  const message = `Cannot call ${name} after the answer has begun`
  return Object.assign(new Error(message), { code: 'ERR_HTTP_HEADERS_SENT' })
}

function lengthOf(chunk: unknown): number {
  return typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0
}

function methodsOf(res: Response): Methods {
  const methods = res as unknown as Methods
  return Object.fromEntries(
    [...OUTPUTS, ...CHANGES].flatMap((name) => (methods[name] ? [[name, methods[name]]] : [])),
  )
}

interface Head {
  /** What the client is told; `writeHead` may have been given another than `statusCode` is. */
  readonly status: number
  readonly headers: ReturnType<Response['getHeaders']>
  readonly statusCode: number
  readonly statusMessage: string
}

function headOf(res: Response): Head {
  const { statusCode, statusMessage } = res
  return { status: statusCode, headers: { ...res.getHeaders() }, statusCode, statusMessage }
}

/** Throws at once what Node would throw, so that a head that cannot be written fails in the handler, not after it. */
function headToBe(res: Response, written: readonly unknown[]): Head {
  const headers = headersToBe(res, written)
  return { ...headOf(res), headers, ...(written.length > 0 && { status: Number(written[0]) }) }
}

function restoreHead(res: Response, { headers, statusCode, statusMessage }: Head): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, value)
  Object.assign(res, { statusCode, statusMessage })
}

/** Tells the writer, who may be waiting for it, that its output is gone. */
function tellDropped(args: readonly unknown[]): void {
  const done = args.at(-1)
  if (typeof done === 'function') process.nextTick(() => done(new Error('The answer was replaced.')))
}

/** Throws at once what Node would throw, so that a body that cannot be written fails in the handler, not after it. */
function requireChunk(name: Output, [chunk, encoding]: unknown[]): void {
  const isText = typeof chunk === 'string' || chunk instanceof Uint8Array
  const isNone = name === 'end' && (chunk === undefined || chunk === null || typeof chunk === 'function')
  if (name === 'writeHead' || name === 'flushHeaders') return
  if (typeof encoding === 'string' && encoding !== 'buffer' && !Buffer.isEncoding(encoding))
    throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' })
  if (isText || isNone) return
  const message = 'The chunk must be a string, a Buffer or a Uint8Array.'
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}
