import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { relative, resolve } from 'node:path'
import { compileFunction } from 'node:vm'
import { build, type Plugin } from 'esbuild'
import { functionBodyOf, type Node, parse, type Syntax, visitAll } from './syntax'

/** The library, compiled so that it reports which file has control. */
export interface TracedLibrary<Exports> {
  readonly exports: Exports
  /** Runs an action, and counts how often control passes from one file to another. */
  fileChanges(action: () => Promise<unknown>): Promise<FileChanges>
}

export interface FileChanges {
  /** Compares the files of successive calls. */
  readonly calls: number
  /** Also counts returns: after each call and each `await`, the calling file has control again. */
  readonly withReturns: number
}

/** Compiles an entry in memory, with statements that report the file. */
export async function traceLibrary<Exports>(entry: string): Promise<TracedLibrary<Exports>> {
  const code = await bundle(entry)
  let calls = changeCounter()
  let withReturns = changeCounter()
  const note = (file: number) => {
    calls.note(file)
    withReturns.note(file)
  }
  const noteAfter = <T>(file: number, value: T): T => {
    withReturns.note(file)
    return value
  }
  const module = { exports: {} as Exports }
  const names = ['module', 'exports', 'require', '__filename', NOTE, NOTE_AFTER]
  const run = compileFunction(code, names, { filename: entry })
  run(module, module.exports, createRequire(resolve(entry)), entry, note, noteAfter)
  return {
    exports: module.exports,
    async fileChanges(action) {
      calls = changeCounter()
      withReturns = changeCounter()
      await action()
      return { calls: calls.changes(), withReturns: withReturns.changes() }
    },
  }
}

function changeCounter() {
  let changes = 0
  let current: number | undefined
  return {
    note(file: number) {
      if (current !== undefined && current !== file) changes += 1
      current = file
    },
    changes: () => changes,
  }
}

async function bundle(entry: string): Promise<string> {
  const folder = resolve(entry, '..')
  const files: string[] = []
  const instrumentation: Plugin = {
    name: 'instrumentation',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = files.push(relative(folder, path)) - 1
        return { contents: instrumented(readFileSync(path, 'utf8'), file), loader: 'ts' }
      })
    },
  }
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    packages: 'external',
    plugins: [instrumentation],
  })
  return outputFiles[0]?.text ?? ''
}

const NOTE = '__note'
const NOTE_AFTER = '__noteAfter'

/** The source, which now reports its file at the start of each function, and after each call and `await`. */
function instrumented(source: string, file: number): string {
  const syntax = parse(source)
  const insertions = visitAll(syntax).flatMap(({ node, around }) => [
    ...atStartOf(node, syntax, file),
    ...(returnsControl(node, around) ? wrapped(syntax.range(node), `${NOTE_AFTER}(${file}, `) : []),
  ])
  return Buffer.from(insert(syntax.text, insertions), 'latin1').toString()
}

interface Insertion {
  readonly at: number
  readonly text: string
}

function atStartOf(node: Node, syntax: Syntax, file: number): Insertion[] {
  const body = functionBodyOf(node)
  if (body === undefined) return []
  const range = syntax.range(body)
  const isBlock = /^(BlockStatement|FunctionBody)$/.test(body.type)
  return isBlock ? [{ at: range[0] + 1, text: `${NOTE}(${file});` }] : wrapped(range, `(${NOTE}(${file}), `)
}

function wrapped([start, end]: readonly [number, number], opening: string): Insertion[] {
  return [
    { at: start, text: opening },
    { at: end, text: ')' },
  ]
}

/** Whether other code may have run before the node has its value. */
function returnsControl(node: Node, around: readonly Node[]): boolean {
  if (!/^((Call|New|Await)Expression|OptionalChainingExpression)$/.test(node.type)) return false
  const callee = node['callee'] as Node | undefined
  const isSyntax = callee?.type === 'Super' || callee?.type === 'Import'
  return !isSyntax && !isPartOfChain(node, around)
}

/** A chain such as `a?.b().c()` is wrapped as a whole, because a wrapped part of it could not skip the rest. */
function isPartOfChain(node: Node, around: readonly Node[]): boolean {
  if (around[0]?.type === CHAIN) return true
  const begins = (outer: Node) => outer.type === CHAIN && outer.span?.start === node.span?.start
  return node.type === CHAIN && around.some(begins)
}

const CHAIN = 'OptionalChainingExpression'

function insert(text: string, insertions: readonly Insertion[]): string {
  let result = ''
  let copied = 0
  // Insertions at the same place stay in order, so that an outer node opens before an inner one.
  for (const { at, text: inserted } of insertions.toSorted((a, b) => a.at - b.at)) {
    result += text.slice(copied, at) + inserted
    copied = at
  }
  return result + text.slice(copied)
}
