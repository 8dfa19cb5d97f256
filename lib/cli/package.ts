import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** The folder of this package. It is two folders above, in the sources and in dist. */
const ROOT = join(__dirname, '../..')

/** The version of this package. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version
}

/** The path of a page in `docs` that a person can open: the package is in `node_modules`, or in the cache of npx. */
export function packagePage(name: string): string {
  const path = join(ROOT, 'docs', name)
  const near = relative('', path)
  return near.startsWith('..') ? path : near
}
