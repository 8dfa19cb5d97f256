/** The limits of calls to a server that may not answer. */
export interface DeadlineOptions {
  /** Default 10 seconds. */
  readonly milliseconds?: number
  /** The name of the server or function, the first words of each error message. */
  readonly who: string
  /** The most unanswered calls, including late ones. Default 10,000. */
  readonly maxPending?: number
}

/** The error of a call that was not answered in time. */
class TimeoutError extends Error {}

/** Work that may stop when the signal is aborted. */
export type Work<T> = (deadline: { readonly signal: AbortSignal }) => T | Promise<T>

/**
 * Runs work, and rejects at the deadline. The work itself may continue.
 *
 * @param onLate receives an answer that arrives after the deadline
 */
export type InTime = <T>(work: Work<T>, onLate?: (answer: T) => unknown) => Promise<T>

/** Makes a function that runs work with a deadline. It rejects new work while too many calls are unanswered. */
export function deadline({ milliseconds = 10_000, who, maxPending = 10_000 }: DeadlineOptions): InTime {
  let pending = 0
  const tooLate = () => new TimeoutError(`${who} did not answer within ${milliseconds / 1000} s`)

  return async function inTime<T>(work: Work<T>, onLate?: (answer: T) => unknown): Promise<T> {
    // Late calls count too. Otherwise calls to a dead server would fill the memory.
    if (pending >= maxPending) throw new Error(`${who} has not answered ${pending} earlier calls`)
    pending += 1
    const timer = new Timer(milliseconds, tooLate)
    const answer = Promise.resolve().then(() => work(timer))
    const end = () => {
      pending -= 1
      timer.stop()
    }
    answer.then((value) => {
      end()
      if (timer.isOver) onLate?.(value)
    }, end)
    return Promise.race([answer, timer.over])
  }
}

const IN_TIME = Symbol.for('express-provisioning-keys.inTime')

/** Freezes an adapter of ours, and marks it: its functions have time limits of their own. */
export function markInTime<T extends object>(adapter: T): T {
  // Not enumerable, so a copy with other functions is not marked.
  return Object.freeze(Object.defineProperty(adapter, IN_TIME, { value: true }))
}

export function isInTime(adapter: object): boolean {
  return Object.hasOwn(adapter, IN_TIME)
}

/** Rejects after a time. It does not keep the process alive: if nothing else does, no answer can come. */
class Timer {
  isOver = false
  readonly over: Promise<never>
  #timeout: NodeJS.Timeout | undefined
  readonly #aborting = new LazyAbort()

  constructor(milliseconds: number, tooLate: () => Error) {
    this.over = new Promise((_, reject) => {
      this.#timeout = setTimeout(() => {
        this.isOver = true
        this.#aborting.abort(tooLate())
        reject(tooLate())
      }, milliseconds).unref()
    })
  }

  get signal(): AbortSignal {
    return this.#aborting.signal
  }

  stop(): void {
    clearTimeout(this.#timeout)
  }
}

/** An `AbortController` that is made when its signal is read. Most code never reads it. */
export class LazyAbort {
  #controller: AbortController | undefined
  #aborted: { readonly reason: unknown } | undefined

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted) this.#controller.abort(this.#aborted.reason)
    return this.#controller.signal
  }

  /** Aborts once: the first reason counts. */
  abort(reason?: unknown): void {
    this.#aborted ??= { reason }
    this.#controller?.abort(reason)
  }
}
