/**
 * How much more processor time work takes on four times the input: about 4 when it is linear, 16 when it is quadratic.
 * The best of several runs, both in the same breath, and the least of several such breaths, so that a busy machine is
 * not taken for slow code.
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
