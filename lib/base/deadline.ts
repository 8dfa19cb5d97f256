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
    let controller: AbortController | undefined
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        isLate = true
        controller?.abort(tooLate())
        reject(tooLate())
      }, milliseconds)
    })
    const lazily = {
      get signal() {
        controller ??= new AbortController()
        if (isLate) controller.abort(tooLate())
        return controller.signal
      },
    }
    const answer = Promise.resolve().then(() => work(lazily))
    const end = () => {
      pending -= 1
      clearTimeout(timer)
    }
    answer.then((value) => {
      end()
      if (isLate) onLate?.(value)
    }, end)
    return Promise.race([answer, late])
  }
}
