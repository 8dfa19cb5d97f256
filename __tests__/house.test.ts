import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atRuntime, circlesOfFiles, circlesOfFolders, longestChain } from '../scripts/house/graph'
import { readTree } from '../scripts/house/source'
import { traceLibrary } from '../scripts/house/trace'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'house-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
}

describe('the measures of the house', () => {
  it('find a circle that only an import of a type closes', () => {
    write({
      'a.ts': "import { b } from './b.js'\nexport type A = typeof b",
      'b.ts': "import type { A } from './a'\nexport const b: A[] | 1 = 1",
      'c.ts': "export * from './a'",
    })
    expect(circlesOfFiles(readTree(folder))).toEqual([['a.ts', 'b.ts']])
  })

  it('find folders that import each other though their files form no circle', () => {
    const imports = (path: string, file: string) => ({
      path,
      imports: [{ specifier: '', file, line: 1, isRuntime: true }],
    })
    const sources = [imports('keys/a.ts', 'http/b.ts'), imports('http/c.ts', 'keys/d.ts')]
    const files = [...sources, { path: 'http/b.ts', imports: [] }, { path: 'keys/d.ts', imports: [] }]
    expect(circlesOfFiles(files)).toEqual([])
    expect(circlesOfFolders(files)).toEqual([['http', 'keys']])
  })

  it('find the longest chain, with and without the imports of types', () => {
    write({
      'a.ts': "import { b } from './b'\nimport type { C } from './c'",
      'b.ts': 'export const b = 1',
      'c.ts': "import { type D, d } from './d'",
      'd.ts': "export { b } from './b'",
    })
    expect(longestChain(readTree(folder))).toEqual(['a.ts', 'c.ts', 'd.ts', 'b.ts'])
    expect(longestChain(atRuntime(readTree(folder)))).toEqual(['c.ts', 'd.ts', 'b.ts'])
  })

  it('begin a new chain at an import that is deferred', () => {
    write({
      'a.ts': "export const b = () => import('./b')",
      'b.ts': "export { c } from './c'",
      'c.ts': 'export const c = 1',
    })
    expect(longestChain(atRuntime(readTree(folder)))).toEqual(['b.ts', 'c.ts'])
  })

  it('count the lines of a function with and without the functions in it', () => {
    write({ 'a.ts': 'function outer(a, { b }) {\n  return () => {\n    //\n    return 1\n  }\n}\n' })
    const [source] = readTree(folder)
    expect(source?.functions).toEqual([
      { name: 'outer', line: 1, lines: 6, parameters: 2, ownLines: 3, isNested: false },
      { name: 'outer', line: 2, lines: 4, parameters: 0, ownLines: 4, isNested: true },
    ])
  })

  it('find comments, but none in literals', () => {
    write({
      'a.ts': "/** A\n * B */\nconst a = '// é' // C\n\n// D\nconst b = /\\/*/\nconst c: any = `/*a*/`\n",
    })
    expect(readTree(folder)[0]).toMatchObject({ lines: 7, codeLines: 3, commentLines: 3, anys: 1 })
  })

  it('count each way from one file to another, and the ways back', async () => {
    write({
      'index.ts':
        "import { b } from './b.js'\nexport const a = async () => b() + (await b()) + (none?.b().c ?? 0)\nconst none: any = undefined",
      'b.ts': "import { c } from './c.js'\nexport function b() {\n  return c() + c()\n}",
      'c.ts': 'export const c = () => 1',
    })
    const { exports, fileChanges } = await traceLibrary<{ a(): Promise<number> }>(join(folder, 'index.ts'))
    // index b c c | b c c; and index b c b c b | index b c b c b | index
    expect(await fileChanges(exports.a)).toEqual({ calls: 4, withReturns: 12 })
    expect(await exports.a()).toBe(4)
  })
})
