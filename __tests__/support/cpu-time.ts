/**
 * The processor time, in seconds, that this process used for some work. Waiting does not count, so the result does
 * not depend on the load of the machine.
 */
export async function cpuSecondsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
