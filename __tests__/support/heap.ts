import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What is in use of the heap once nothing more can be collected: one collection leaves what only its end sets free. */
export function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    collectGarbage()
    const { heapUsed } = process.memoryUsage()
    if (heapUsed > before - 100_000) return heapUsed
    before = heapUsed
  }
}
