import { type BigIntStats, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** Whether two paths lead to one file, which may not exist yet. Devices and pipes are no files, and lose nothing. */
export function isSameFile(one: string, other: string): boolean {
  const place = placeOf(resolve(one))
  return place !== undefined && place === placeOf(resolve(other))
}

/** An existing file has a number, whatever link leads to it. */
function placeOf(path: string): string | undefined {
  const stats = attempt<BigIntStats>(() => statSync(path, { bigint: true }))
  if (stats === undefined)
    return join(attempt(() => realpathSync(dirname(path))) ?? dirname(path), basename(path))
  return stats.isFile() ? `${stats.dev} ${stats.ino}` : undefined
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
