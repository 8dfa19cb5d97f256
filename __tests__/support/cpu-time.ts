/**
 * Seconds of processor time that work took of this process. What waits, for its turn on a busy machine or for anything
 * else, does not count, so that a slow machine is not taken for slow code.
 */
export async function cpuSecondsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
