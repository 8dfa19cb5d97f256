/** Answers what `ask` answers, or rejects. */
export type InTime = <T>(ask: () => T | Promise<T>) => Promise<T>

/** How long is waited, for how many at once, and what for. */
export interface Patience {
  readonly milliseconds: number
  /** How many may be unanswered at once, those that nobody waits for any more included. Default: any number. */
  readonly pending?: number
  /** Who is asked, for messages. */
  readonly whom: string
}

/** Waits for answers, but no longer than it was told to, nor for too many at once. */
export function inTime({ milliseconds, pending = Number.POSITIVE_INFINITY, whom }: Patience): InTime {
  let unanswered = 0

  return async function askInTime<T>(ask: () => T | Promise<T>): Promise<T> {
    // What queues up behind a server that is gone must not fill the memory.
    if (unanswered >= pending) throw new Error(`${whom} has not answered ${unanswered} times already`)
    unanswered += 1
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const tooLate = () => reject(new Error(`${whom} did not answer within ${milliseconds} ms`))
      timer = setTimeout(tooLate, milliseconds)
    })
    const answer = Promise.resolve().then(ask)
    const end = () => {
      unanswered -= 1
      clearTimeout(timer)
    }
    answer.then(end, end)
    return Promise.race([answer, late])
  }
}
