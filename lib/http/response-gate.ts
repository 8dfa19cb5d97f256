import type { Response } from 'express'
import {
  bytesOf,
  type Head,
  headOf,
  headToBe,
  lastBytesOf,
  type WholeAnswer,
  wholeAnswer,
} from './whole-answer.js'

type AnyFunction = (...args: unknown[]) => unknown
type Methods = Readonly<Record<string, AnyFunction>>
type Output = 'writeHead' | 'flushHeaders' | 'write' | 'end'

const OUTPUTS: readonly Output[] = ['writeHead', 'flushHeaders', 'write', 'end']
/** Express changes headers with these methods. They fail or do nothing after the first output. */
const CHANGES = ['setHeader', 'removeHeader']

/** Gets the status of an answer, and all of the answer when it was written in one piece. */
export type Decide = (status: number, whole: WholeAnswer | undefined) => void

/**
 * Holds the first output of a response until it is let through, or replaced by another answer.
 *
 * Other middlewares may replace the response's methods before and after us, and keep ours for good. So our methods stay
 * in place, look at the state of the gate, and reach the methods before them by reference.
 */
export class ResponseGate {
  readonly #res: Response
  readonly #decide: Decide
  readonly #before: Methods
  readonly #headBefore: Head
  readonly #held: (readonly [Output, unknown[]])[] = []
  #state: 'holding' | 'open' | 'replaced' = 'holding'
  #head: Head | undefined
  #bytes = 0
  #hasEnded = false
  #isDecided = false

  /** @param decide is called once, at the first output */
  constructor(res: Response, decide: Decide) {
    this.#res = res
    this.#decide = decide
    this.#before = methodsOf(res)
    this.#headBefore = headOf(res)
    for (const name of OUTPUTS)
      Object.assign(res, { [name]: (...args: unknown[]) => this.#output(name, args) })
    for (const name of CHANGES)
      Object.assign(res, { [name]: (...args: unknown[]) => this.#change(name, args) })
    Object.defineProperty(res, 'writableEnded', { get: () => this.#hasEnded, configurable: true })
    Object.defineProperty(res, 'headersSent', { get: () => this.#isStreaming, configurable: true })
  }

  /** An incomplete answer has begun. An error handler must not write another answer after it. */
  get #isStreaming(): boolean {
    return this.hasOutput && !this.#hasEnded
  }

  /** Whether the handler has begun to answer. */
  get hasOutput(): boolean {
    return this.#head !== undefined
  }

  /** Writes the held output. Later output goes straight through. */
  open(): void {
    const res = this.#res
    this.#state = 'open'
    showOwnState(res)
    this.#restoreStatus()
    for (const [name, args] of this.#held.splice(0)) this.#before[name]?.apply(res, args)
    if (!this.#hasEnded && !res.writableNeedDrain) res.emit('drain')
  }

  /** Drops the held output and all later output, and lets `write` answer instead. */
  replaceBy(write: () => void): void {
    const res = this.#res
    this.#state = 'replaced'
    showOwnState(res)
    for (const [, args] of this.#held.splice(0)) reportDropped(args)
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

  /** Writes the head as Node does before a first `write()`. A middleware behind us may have a last change to make. */
  #implyHead(args: unknown[]): void {
    if (this.#state !== 'holding' || this.hasOutput) return
    bytesOf(args)
    this.#res.writeHead(this.#res.statusCode)
  }

  /**
   * Whether the head of the refusal is still to be written. A middleware before us may pass the body on later, as
   * compression does. Node then calls the `writeHead` that it finds, which is ours.
   */
  #isOwnHead(): boolean {
    return this.#state === 'replaced' && !this.#res.headersSent
  }

  #writeOwnHead(): unknown {
    this.#restoreStatus()
    return this.#before.writeHead?.apply(this.#res, [this.#res.statusCode])
  }

  /** Undoes assignments since the answer began. */
  #restoreStatus(): void {
    const { status: statusCode, statusMessage } = this.#head ?? this.#headBefore
    Object.assign(this.#res, { statusCode, statusMessage })
  }

  #hold(name: Output, args: unknown[]): void {
    const isHeadAgain = name === 'writeHead' && this.hasOutput
    if (this.#state === 'replaced' || this.#hasEnded || isHeadAgain) {
      reportDropped(args)
      return
    }
    const head = this.#head ?? headToBe(this.#res, name === 'writeHead' ? args : [])
    if (name === 'write') this.#bytes += bytesOf(args).length
    if (name === 'end') lastBytesOf(args)
    this.#held.push([name, args])
    this.#hasEnded = name === 'end'
    this.#head = head
    // `writeHead().end()` is one piece; Node sends no head before the body begins.
    if (name === 'writeHead') process.nextTick(() => this.#decideOnce(head))
    else this.#decideOnce(head)
  }

  #decideOnce(head: Head): void {
    if (this.#isDecided || this.#state !== 'holding') return
    this.#isDecided = true
    const [, args = []] = this.#held.at(-1) ?? []
    this.#decide(head.status, this.#hasEnded ? wholeAnswer(this.#headBefore, head, args) : undefined)
  }

  /** Full from the mark on, as any stream. The stream that finally gets the held bytes emits 'drain'. */
  #hasRoom(): boolean {
    return this.#state === 'replaced' || this.#bytes < this.#res.writableHighWaterMark
  }

  #change(name: string, args: unknown[]): unknown {
    const isFixed = this.hasOutput && this.#state !== 'open'
    if (this.#isStreaming && this.#state === 'holding') throw headersSent(name)
    return isFixed ? this.#res : this.#before[name]?.apply(this.#res, args)
  }
}

/** From now on the response reports its own state. */
function showOwnState(res: Response): void {
  Reflect.deleteProperty(res, 'writableEnded')
  Reflect.deleteProperty(res, 'headersSent')
}

/** The error of Node for a change of a head that was sent. */
function headersSent(name: string): Error {
  const message = `Cannot call ${name} after the answer has begun`
  return Object.assign(new Error(message), { code: 'ERR_HTTP_HEADERS_SENT' })
}

function methodsOf(res: Response): Methods {
  const methods = res as unknown as Methods
  return Object.fromEntries(
    [...OUTPUTS, ...CHANGES].flatMap((name) => (methods[name] ? [[name, methods[name]]] : [])),
  )
}

function restoreHead(res: Response, { headers, status: statusCode, statusMessage }: Head): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, value)
  Object.assign(res, { statusCode, statusMessage })
}

/** Calls back a writer whose output was dropped. */
function reportDropped(args: readonly unknown[]): void {
  const done = args.at(-1)
  if (typeof done === 'function') process.nextTick(() => done(new Error('The answer was replaced.')))
}
