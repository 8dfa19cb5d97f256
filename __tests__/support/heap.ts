import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The real function, also while fake timers are in use. */
const nextTurn = setImmediate

/**
 * The bytes of the heap in use when nothing more can be collected. One collection is not enough: some objects become
 * free only after it, or in the next turn of the event loop.
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
