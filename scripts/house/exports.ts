import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Node, nameIn, parse, type Syntax } from './syntax'

/** The doc comments of what a file exports, by name; '' for an export without one. */
type Exports = ReadonlyMap<string, string>

/** All names that the entries of package.json export, each with its doc comment. */
export function publicExports(root: string): Exports {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = Object.values(manifest.exports as Record<string, { require?: { default: string } }>)
  const files = entries.flatMap((entry) => entry.require?.default ?? [])
  const sources = files.map((file) => file.replace('./dist/', 'lib/').replace(/\.js$/, '.ts'))
  return new Map(sources.flatMap((file) => [...exportsOf(join(root, file))]))
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
