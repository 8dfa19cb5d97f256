import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The version of this package. Its manifest is two folders above, in the sources and in dist. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')).version
}
