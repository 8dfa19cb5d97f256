/**
 * The intervals of a test file end with the file. A memory store looks for expired keys in an interval as long as it
 * holds any. Otherwise the store of each file would keep all modules of the file in memory.
 */
const intervals: NodeJS.Timeout[] = []
const { setInterval } = globalThis

globalThis.setInterval = ((...given: Parameters<typeof setInterval>) => {
  const interval = setInterval(...given)
  intervals.push(interval)
  return interval
}) as typeof setInterval

afterAll(() => intervals.forEach(clearInterval))
