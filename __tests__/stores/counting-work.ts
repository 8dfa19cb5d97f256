import { Session } from 'node:inspector/promises'

/**
 * Counts how often the blocks and functions of the memory store ran during some calls, as V8 counts them for
 * coverage: a measure of work that no slow machine can disturb.
 */
export async function countingWork(calls: () => Promise<void>): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    await calls()
    const { result } = await session.post('Profiler.takePreciseCoverage')
    const ranges = result
      .filter(({ url }) => url.endsWith('lib/stores/memory.ts'))
      .flatMap(({ functions }) => functions.flatMap((one) => one.ranges))
    return ranges.reduce((sum, { count }) => sum + count, 0)
  } finally {
    session.disconnect()
  }
}
