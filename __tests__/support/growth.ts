/**
 * The growth of the processor time for four times the input: about 4 for linear work, 16 for quadratic work.
 * Each of three measurements takes the best of several runs, and the least growth counts, so that the load of the
 * machine does not matter.
 */
export function growthOf(work: (size: number) => unknown, size: number): number {
  const once = (n: number) => {
    const before = process.cpuUsage()
    work(n)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  const best = (n: number) => Math.min(...Array.from({ length: 7 }, () => once(n)))
  const growth = () => best(4 * size) / Math.max(best(size), 0.05)
  once(size)
  return Math.min(growth(), growth(), growth())
}
