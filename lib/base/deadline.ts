/** How long an answer may take, and how many may be missing. */
export interface DeadlineOptions {
  readonly milliseconds: number
  /** Begins the messages, such as `Redis`. */
  readonly who: string
  /** How many calls may be unanswered at once, late ones included. Default: any number. */
  readonly maxPending?: number
}

/** Work that may end early when the signal is aborted. */
export type Work<T> = (deadline: { readonly signal: AbortSignal }) => T | Promise<T>

/**
 * Runs work until its deadline, and rejects then. The work itself may go on.
 *
 * @param onLate gets an answer that comes after the deadline
 */
export type InTime = <T>(work: Work<T>, onLate?: (answer: T) => unknown) => Promise<T>

/** Makes a function that runs work until a deadline. It refuses work while too many answers are missing. */
export function deadline({
  milliseconds,
  who,
  maxPending = Number.POSITIVE_INFINITY,
}: DeadlineOptions): InTime {
  let pending = 0
  const tooLate = () => new Error(`${who} did not answer within ${milliseconds / 1000} s`)

  return async function inTime<T>(work: Work<T>, onLate?: (answer: T) => unknown): Promise<T> {
    // Late calls count too: calls that queue up behind a dead server must not fill the memory.
    if (pending >= maxPending) throw new Error(`${who} has not answered ${pending} times`)
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

/** Rejects after a time. The signal is made only for work that asks for it. */
class Timer {
  isOver = false
  readonly over: Promise<never>
  readonly #tooLate: () => Error
  #timeout: NodeJS.Timeout | undefined
  #controller: AbortController | undefined

  constructor(milliseconds: number, tooLate: () => Error) {
    this.#tooLate = tooLate
    this.over = new Promise((_, reject) => {
      this.#timeout = setTimeout(() => {
        this.isOver = true
        this.#controller?.abort(tooLate())
        reject(tooLate())
      }, milliseconds)
    })
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.isOver) this.#controller.abort(this.#tooLate())
    return this.#controller.signal
  }

  stop(): void {
    clearTimeout(this.#timeout)
  }
}
