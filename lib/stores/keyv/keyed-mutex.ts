import { deadline } from '../../base/deadline.js'

/**
 * Does work for one name at a time, in the order in which it came. The work says what has to have ended, besides
 * itself, before the next may begin.
 */
export type Mutex = <T>(name: string, work: (hold: Hold) => Promise<T>) => Promise<T>
export type Hold = (ended: Promise<unknown>) => void

/** Lanes in which nobody waits longer than that for its turn: it rejects then, and does nothing. */
export function keyedMutex(patienceSeconds: number): Mutex {
  const tails = new Map<string, Promise<unknown>>()
  const inTime = deadline({ milliseconds: patienceSeconds * 1000, who: 'Another change of the client' })

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
      if (previous !== undefined) await inTime(() => previous)
      return await work((ended) => held.push(ended))
    } finally {
      Promise.all(held).then(leave)
    }
  }
}
