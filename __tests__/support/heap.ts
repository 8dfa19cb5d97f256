import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Not the one that fake timers put in its place. */
const nextTurn = setImmediate

/**
 * What is in use of the heap once nothing more can be collected: one collection leaves what only its end, or the next
 * turn of the event loop, sets free.
 */
export async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  let least = Number.POSITIVE_INFINITY
  for (let rounds = 0; rounds < 3; rounds += 1) {
    await new Promise<void>((resolve) => nextTurn(() => resolve()))
    collectGarbage()
    const { heapUsed } = process.memoryUsage()
    if (heapUsed < least - 100_000) rounds = 0
    least = Math.min(least, heapUsed)
  }
  return least
}
