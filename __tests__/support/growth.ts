/** Below this, the work is not quadratic, whatever the machine does at the same time. */
const CLEARLY_LINEAR = 8

/**
 * The growth of the time for four times the input: about 4 for linear work, 16 for quadratic work. Each measurement takes
 * the best of several runs, and the least growth of at most ten measurements counts, so that the load of the machine does
 * not matter.
 */
export function growthOf(work: (size: number) => unknown, size: number): number {
  const once = (n: number) => {
    const begun = performance.now()
    work(n)
    return performance.now() - begun
  }
  const best = (n: number) => Math.min(...Array.from({ length: 7 }, () => once(n)))
  once(size)
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10 && least > CLEARLY_LINEAR; i += 1)
    least = Math.min(least, best(4 * size) / Math.max(best(size), 0.05))
  return least
}
