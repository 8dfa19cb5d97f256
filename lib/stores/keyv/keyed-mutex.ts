import { deadline } from '../../base/deadline.js'

/** Runs work for one name at a time, in the order of the calls. */
export type KeyedMutex = <T>(name: string, work: (waitFor: WaitFor) => Promise<T>) => Promise<T>

/** The next work for the same name begins only after this promise, too, has ended. */
export type WaitFor = (ended: Promise<unknown>) => void

/** @param waitSeconds how long work waits for its turn. After that the call rejects, and the work does not run */
export function keyedMutex(waitSeconds: number): KeyedMutex {
  const tails = new Map<string, Promise<unknown>>()
  const inTime = deadline({ milliseconds: waitSeconds * 1000, who: 'Another change of the client' })

  return async function inTurn(name, work) {
    const previous = tails.get(name)
    const awaited: Promise<unknown>[] = []
    let endTurn: () => void = () => undefined
    const turn = new Promise<void>((resolve) => {
      endTurn = resolve
    })
    // Work that has waited for too long ends its own turn, but the work before it may still run.
    const tail = Promise.all([previous, turn])
    tails.set(name, tail)
    tail.then(() => tails.get(name) === tail && tails.delete(name))
    try {
      if (previous !== undefined) await inTime(() => previous)
      return await work((ended) => awaited.push(ended))
    } finally {
      Promise.all(awaited).then(endTurn)
    }
  }
}
