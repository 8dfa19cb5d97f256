import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Node, nameIn, parse, type Syntax } from './syntax'

/** A name that an entry of package.json exports. */
export interface PublicExport {
  readonly name: string
  /** The module that users import it from. */
  readonly specifier: string
  /** Its doc comment; '' without one. */
  readonly comment: string
}

/** The doc comments of a file's exports, by name; '' for an export without one. */
type Exports = ReadonlyMap<string, string>

/** All names that the entries of package.json export, each with the first entry that exports it. */
export function publicExports(root: string): PublicExport[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = Object.entries(manifest.exports as Record<string, { require?: { default: string } }>)
  const found = new Map<string, PublicExport>()
  for (const [path, { require }] of entries) {
    if (require === undefined) continue
    const file = require.default.replace('./dist/', 'lib/').replace(/\.js$/, '.ts')
    for (const [name, comment] of exportsOf(join(root, file))) {
      if (!found.has(name)) found.set(name, { name, specifier: join(manifest.name, path), comment })
    }
  }
  return [...found.values()]
}

/** The code of each `@example` in a doc comment. */
export function examplesIn(comment: string): string[] {
  const text = comment.replace(/^\/\*\*|\s*\*\/$/g, '').replace(/^\s*\* ?/gm, '')
  return [...text.matchAll(/^@example[^\n]*\n(?<code>[\s\S]*?)(?=^@\w|$(?![\s\S]))/gm)].map(({ groups }) => {
    return (groups?.code ?? '').replace(/^```\w*\n|^```\s*$/gm, '').trim()
  })
}

function exportsOf(file: string): Exports {
  const syntax = parse(readFileSync(file, 'utf8'))
  return new Map(
    syntax.statements.flatMap((statement, index) => {
      const { source, specifiers, declaration } = statement
      if (statement.type === 'ExportDeclaration')
        return namesOf(declaration as Node).map((name): [string, string] => [
          name,
          commentBefore(syntax, index),
        ])
      if (!/^Export(All|Named)Declaration$/.test(statement.type) || source === null) return []
      const { value } = source as { value: string }
      const there = exportsOf(resolve(dirname(file), value.replace(/\.js$/, '.ts')))
      return specifiers === undefined
        ? [...there]
        : (specifiers as Node[]).map((each) => renamed(each, there))
    }),
  )
}

function namesOf(declaration: Node): string[] {
  const declarators = declaration['declarations'] as Node[] | undefined
  return (declarators ?? [declaration]).flatMap((each) => nameIn(each) ?? [])
}

/** `first as second` exports the comment of `first` as that of `second`. */
function renamed({ orig, exported }: Node, there: Exports): [string, string] {
  const { value: name } = orig as { value: string }
  return [(exported as { value: string } | null)?.value ?? name, there.get(name) ?? '']
}

/** The doc comment between a statement and the one before it. */
function commentBefore({ text, statements, range }: Syntax, index: number): string {
  const [statement, before] = [statements[index], statements[index - 1]]
  if (statement === undefined) return ''
  const gap = text.slice(before === undefined ? 0 : range(before)[1], range(statement)[0])
  return gap.match(/\/\*\*[\s\S]*?\*\//g)?.at(-1) ?? ''
}
