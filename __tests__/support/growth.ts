/**
 * How much longer work takes on four times the input: about 4 when it is linear, 16 when it is quadratic. The best of
 * several runs, both in the same breath, so that a busy machine is not taken for slow code.
 */
export function growthOf(work: (size: number) => unknown, size: number): number {
  const once = (n: number) => {
    const before = performance.now()
    work(n)
    return performance.now() - before
  }
  const best = (n: number) => Math.min(...Array.from({ length: 7 }, () => once(n)))
  once(size)
  return best(4 * size) / Math.max(best(size), 0.05)
}
