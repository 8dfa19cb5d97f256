/**
 * Prints measurements of this repository: `npm run house`. The architecture test checks limits with the same functions.
 *
 * Only outer functions count; their lines include the functions in them. Imports of types count for circles and for the
 * second chain. A file at the top of a tree counts as a folder.
 *
 * "File changes" is how often control passes from one file of lib/ to another while the library answers a request. For
 * this, the library is compiled so that it reports the file of each function that is called, and an app in this process
 * answers six real requests. "calls" compares the file of each call with the file of the call before; "with returns" also
 * counts the return to the calling file after each call and each `await`.
 */
import { join } from 'node:path'
import type * as Library from '../lib/index'
import { examplesIn, publicExports } from './house/exports'
import { atRuntime, circlesOfFiles, circlesOfFolders, longestChain } from './house/graph'
import { changesByRequest } from './house/requests'
import { readTree, type Source } from './house/source'
import { traceLibrary } from './house/trace'

const ROOT = join(__dirname, '..')

async function main(): Promise<void> {
  const lib = readTree(join(ROOT, 'lib'))
  printSize(lib)
  printText(lib)
  printExports()
  printImports(lib)
  const library = await traceLibrary<typeof Library>(join(ROOT, 'lib', 'index.ts'))
  const requests = [...(await changesByRequest(library))]
  heading('File changes of one request: calls, with returns')
  for (const [name, { calls, withReturns }] of requests) row(name, calls, withReturns)
}

function printSize(lib: readonly Source[]): void {
  const core = lib.filter(({ path }) => !path.startsWith('testing/'))
  heading('Size: files, lines')
  for (const [name, sources] of [['lib', lib] as const, ['lib without testing', core] as const])
    row(name, sources.length, total(sources, 'lines'))
}

function printText(lib: readonly Source[]): void {
  const functions = lib
    .flatMap(({ path, functions }) => functions.map((each) => ({ ...each, path })))
    .filter(({ isNested }) => !isNested)
    .sort((a, b) => a.lines - b.lines)
  const at = (share: number) => functions[Math.ceil(functions.length * share) - 1]
  const longest = at(1)
  const [code, comments] = [total(lib, 'codeLines'), total(lib, 'commentLines')]
  heading('Text of lib')
  row('function lines: median, p90, max', ...[at(0.5), at(0.9), longest].map((each) => each?.lines ?? 0))
  note(`the longest is ${longest?.name} in ${longest?.path}`)
  row('functions with 40 lines or more', functions.filter(({ lines }) => lines >= 40).length)
  row('share of lines that are comments', `${((100 * comments) / (code + comments)).toFixed(1)} %`)
  row('code lines per named type', Math.round(code / total(lib, 'namedTypes')))
  row('any', total(lib, 'anys'))
}

function printExports(): void {
  const exported = publicExports(ROOT)
  const withExample = exported.filter(({ comment }) => examplesIn(comment).length > 0)
  row('public exports, of them with @example', exported.length, withExample.length)
}

function printImports(lib: readonly Source[]): void {
  const chain = longestChain(atRuntime(lib))
  heading('Imports')
  row('longest chain in files: runtime, with types', chain.length, longestChain(lib).length)
  chain.forEach((file, index) => {
    note(`${index === 0 ? '' : 'imports '}${file}`)
  })
  for (const tree of ['lib', 'demo-app', 'faults', 'simulation']) {
    const sources = tree === 'lib' ? lib : readTree(join(ROOT, tree))
    const circles = [circlesOfFiles(sources), circlesOfFolders(sources)]
    row(`circles in ${tree}: of files, of folders`, ...circles.map(({ length }) => length))
    for (const circle of circles.flat()) note(circle.join(', '))
  }
}

function total(
  sources: readonly Source[],
  measure: 'lines' | 'codeLines' | 'commentLines' | 'namedTypes' | 'anys',
) {
  return sources.reduce((sum, source) => sum + source[measure], 0)
}

function heading(text: string): void {
  console.log(`\n${text}`)
}

function row(name: string, ...values: readonly (number | string)[]): void {
  const cells = values.map((value) => value.toLocaleString('en').padStart(8))
  console.log(`  ${name.padEnd(46)}${cells.join('')}`)
}

function note(text: string): void {
  console.log(`    ${text}`)
}

main().catch((error) => {
  process.exitCode = 1
  console.error(error)
})
