/**
 * Does work for one name at a time, in the order in which it came. The work says what has to have ended, besides
 * itself, before the next may begin.
 */
export type Mutex = <T>(name: string, work: (hold: Hold) => Promise<T>) => Promise<T>
export type Hold = (ended: Promise<unknown>) => void

/** Lanes in which nobody waits longer than that for its turn: it rejects then, and does nothing. */
export function keyedMutex(patienceSeconds: number): Mutex {
  const tails = new Map<string, Promise<unknown>>()

  return async function inLane(name, work) {
    const previous = tails.get(name)
    const held: Promise<unknown>[] = []
    let leave: () => void = () => undefined
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    // Whoever has lost its patience is out of the way, but those before it may not be.
    const tail = Promise.all([previous, left])
    tails.set(name, tail)
    tail.then(() => tails.get(name) === tail && tails.delete(name))
    try {
      const busy = `A client was busy for ${patienceSeconds} s.`
      if (previous !== undefined) await inTime(previous, patienceSeconds, busy)
      return await work((ended) => held.push(ended))
    } finally {
      Promise.all(held).then(leave)
    }
  }
}

/** Answers what `running` answers, or rejects when that takes too long. */
export function inTime<T>(running: Promise<T>, seconds: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), seconds * 1000)
  })
  return Promise.race([running, timeout]).finally(() => clearTimeout(timer))
}
