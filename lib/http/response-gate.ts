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
/** The methods of a response that write to the client. */
type Output = 'writeHead' | 'flushHeaders' | 'write' | 'end'
/** Express changes headers with these methods. They fail or do nothing after the first output. */
type HeaderMethod = 'setHeader' | 'removeHeader'
type Methods = Readonly<Record<Output | HeaderMethod, AnyFunction>>

/** Gets the status of an answer, and makes all of the answer when it was written in one piece. */
export type Decide = (status: number, whole: () => WholeAnswer | undefined) => void

/**
 * Holds the output of a response until the gate opens, or until another answer replaces it.
 *
 * Other middlewares replace methods of the response too, before us and after us. Those after us keep calling our methods.
 * So our methods stay in place. They look at the state of the gate, and call the methods that were there before.
 */
export class ResponseGate {
  readonly #res: Response
  readonly #decide: Decide
  /** The methods of the response before ours. */
  readonly #before: Methods
  /** The head of the response before the handler. */
  readonly #headBefore: Head
  readonly #held: (readonly [Output, unknown[]])[] = []
  /** `open`: output goes to the client. `replaced`: output is dropped, because another answer was written. */
  #state: 'holding' | 'open' | 'replaced' = 'holding'
  /** The head of the answer, from its first output on. */
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
    Object.assign(res, this.#methods())
    Object.defineProperty(res, 'writableEnded', { get: () => this.#hasEnded, configurable: true })
    Object.defineProperty(res, 'headersSent', { get: () => this.#isStreaming, configurable: true })
  }

  /** Our methods. Written out, because a loop over their names took 4 % of a redemption. */
  #methods(): Methods {
    return {
      writeHead: (...args) => this.#output('writeHead', args),
      flushHeaders: (...args) => this.#output('flushHeaders', args),
      write: (...args) => this.#output('write', args),
      end: (...args) => this.#output('end', args),
      setHeader: (...args) => this.#change('setHeader', args),
      removeHeader: (...args) => this.#change('removeHeader', args),
    }
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
    for (const [name, args] of this.#held.splice(0)) this.#before[name].apply(res, args)
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
    if (this.#state === 'open') return this.#before[name].apply(this.#res, args)
    if (name === 'writeHead' && this.#isOwnHead()) return this.#writeOwnHead()
    if (name === 'write') this.#implyHead(args)
    this.#hold(name, args)
    if (name === 'write') return this.#hasRoom()
    return name === 'flushHeaders' ? undefined : this.#res
  }

  /** Calls `writeHead` before the first `write`, as Node does. A middleware after us may add headers in it. */
  #implyHead(args: unknown[]): void {
    if (this.#state !== 'holding' || this.hasOutput) return
    // Throws if Node cannot write this chunk. Then the answer has not begun.
    bytesOf(args)
    this.#res.writeHead(this.#res.statusCode)
  }

  /**
   * Whether the head of the other answer is not written yet. A middleware before us may write the body later, as
   * compression does. Node then calls the `writeHead` that it finds, which is ours.
   */
  #isOwnHead(): boolean {
    return this.#state === 'replaced' && !this.#res.headersSent
  }

  #writeOwnHead(): unknown {
    this.#restoreStatus()
    return this.#before.writeHead.apply(this.#res, [this.#res.statusCode])
  }

  /** Undoes assignments to the status since the answer began. */
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
    // Throws if Node cannot write the last chunk.
    if (name === 'end') lastBytesOf(args)
    this.#held.push([name, args])
    this.#hasEnded = name === 'end'
    this.#head = head
    // `writeHead().end()` is an answer in one piece. Node does not send the head before the body begins.
    if (name === 'writeHead') process.nextTick(() => this.#decideOnce(head))
    else this.#decideOnce(head)
  }

  #decideOnce(head: Head): void {
    if (this.#isDecided || this.#state !== 'holding') return
    this.#isDecided = true
    const [, args = []] = this.#held.at(-1) ?? []
    const whole = () => (this.#hasEnded ? wholeAnswer(this.#headBefore, head, args) : undefined)
    this.#decide(head.status, whole)
  }

  /** The result of `write`: false from the high-water mark on, as for any stream. `open` emits 'drain' later. */
  #hasRoom(): boolean {
    return this.#state === 'replaced' || this.#bytes < this.#res.writableHighWaterMark
  }

  #change(name: HeaderMethod, args: unknown[]): unknown {
    const isFixed = this.hasOutput && this.#state !== 'open'
    if (this.#isStreaming && this.#state === 'holding') throw headersSent(name)
    return isFixed ? this.#res : this.#before[name].apply(this.#res, args)
  }
}

/** Makes the response report its own state again. */
function showOwnState(res: Response): void {
  Reflect.deleteProperty(res, 'writableEnded')
  Reflect.deleteProperty(res, 'headersSent')
}

/** The error that Node throws for a change of a head that was sent. */
function headersSent(name: string): Error {
  const message = `Cannot call ${name} after the answer has begun`
  return Object.assign(new Error(message), { code: 'ERR_HTTP_HEADERS_SENT' })
}

function methodsOf(res: Response): Methods {
  const { writeHead, flushHeaders, write, end, setHeader, removeHeader } = res as unknown as Methods
  return { writeHead, flushHeaders, write, end, setHeader, removeHeader }
}

function restoreHead(res: Response, { headers, status: statusCode, statusMessage }: Head): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, value)
  Object.assign(res, { statusCode, statusMessage })
}

/** Calls the callback of a `write` or an `end` that was dropped. */
function reportDropped(args: readonly unknown[]): void {
  const done = args.at(-1)
  if (typeof done === 'function') process.nextTick(() => done(new Error('The answer was replaced.')))
}
