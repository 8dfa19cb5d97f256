import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isNode, type Node, nameIn, parse, type Syntax } from './syntax'

/** A name that an entry of package.json exports. */
export interface PublicExport extends Documented {
  /** The module that users import it from. */
  readonly specifier: string
  /** The members of an interface, or of the object types that a type alias combines. Else none. */
  readonly members: readonly Documented[]
}

/** A name and its doc comment; '' without one. */
interface Documented {
  readonly name: string
  readonly comment: string
}

/** The exports of a file, by name. */
type Exports = ReadonlyMap<string, Omit<PublicExport, 'specifier'>>

/** All names that the entries of package.json export, each with the first entry that exports it. */
export function publicExports(root: string): PublicExport[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = Object.entries(manifest.exports as Record<string, { require?: { default: string } }>)
  const found = new Map<string, PublicExport>()
  for (const [path, { require }] of entries) {
    if (require === undefined) continue
    const file = require.default.replace('./dist/', 'lib/').replace(/\.js$/, '.ts')
    for (const [name, each] of exportsOf(join(root, file))) {
      if (!found.has(name)) found.set(name, { ...each, specifier: join(manifest.name, path) })
    }
  }
  return [...found.values()]
}

/** The code of each `@example` in a doc comment: beside the tag, or below it. */
export function examplesIn(comment: string): string[] {
  const text = comment.replace(/^\/\*\*|\s*\*\/$/g, '').replace(/^\s*\* ?/gm, '')
  const examples = text.matchAll(/^@example(?<code>[\s\S]*?)(?=^@\w|$(?![\s\S]))/gm)
  return [...examples].map(({ groups }) => (groups?.code ?? '').replace(/^```\w*\n|^```\s*$/gm, '').trim())
}

function exportsOf(file: string): Exports {
  const syntax = parse(readFileSync(file, 'utf8'))
  const exported = syntax.statements.flatMap((statement, index) => {
    const { source, specifiers, declaration } = statement
    if (statement.type === 'ExportDeclaration') return declared(syntax, declaration as Node, index)
    if (!/^Export(All|Named)Declaration$/.test(statement.type) || source === null) return []
    const { value } = source as { value: string }
    const there = exportsOf(resolve(dirname(file), value.replace(/\.js$/, '.ts')))
    return specifiers === undefined
      ? [...there.values()]
      : (specifiers as Node[]).flatMap((each) => renamed(each, there))
  })
  return new Map(exported.map((each) => [each.name, each]))
}

function declared(syntax: Syntax, declaration: Node, index: number) {
  const { statements, range } = syntax
  const before = statements[index - 1]
  const comment = commentBetween(syntax, before === undefined ? 0 : range(before)[1], range(declaration)[0])
  const objectTypes = objectTypesIn(declaration['body'] ?? declaration['typeAnnotation'])
  const members = objectTypes.flatMap((each) => membersOf(syntax, each))
  return namesOf(declaration).map((name) => ({ name, comment, members }))
}

function namesOf(declaration: Node): string[] {
  const declarators = declaration['declarations'] as Node[] | undefined
  return (declarators ?? [declaration]).flatMap((each) => nameIn(each) ?? [])
}

/** The body of an interface, or the object types in intersections, in unions and in the member of an object type. */
function objectTypesIn(type: unknown): Node[] {
  if (!isNode(type)) return []
  if (type.type === 'TsIndexedAccessType')
    return objectTypesIn(type['objectType']).flatMap(signaturesOf).map(typeOf).flatMap(objectTypesIn)
  if (/^Ts(InterfaceBody|TypeLiteral)$/.test(type.type)) return [type]
  const isCombined = /^Ts(Intersection|Union|Parenthesized)Type$/.test(type.type)
  return isCombined ? [type['types'] ?? type['typeAnnotation']].flat().flatMap(objectTypesIn) : []
}

function membersOf(syntax: Syntax, objectType: Node): Documented[] {
  let end = syntax.range(objectType)[0]
  return signaturesOf(objectType).flatMap((signature) => {
    const [start, endOfThis] = syntax.range(signature)
    const comment = commentBetween(syntax, end, start)
    end = endOfThis
    const name = isNever(signature) ? undefined : nameIn(signature)
    return name === undefined ? [] : { name, comment }
  })
}

function signaturesOf(objectType: Node): Node[] {
  return (objectType['body'] ?? objectType['members']) as Node[]
}

/** The type of a member; `undefined` for a method. */
function typeOf({ typeAnnotation }: Node): unknown {
  return isNode(typeAnnotation) ? typeAnnotation['typeAnnotation'] : undefined
}

/** Whether nothing can be given: such a member only excludes the member of the same name in another object type. */
function isNever(signature: Node): boolean {
  const type = typeOf(signature)
  return isNode(type, 'TsKeywordType') && type['kind'] === 'never'
}

/** `first as second` exports the comment and the members of `first` as those of `second`. */
function renamed({ orig, exported }: Node, there: Exports) {
  const { value } = orig as { value: string }
  const original = there.get(value)
  const { value: name } = (exported ?? orig) as { value: string }
  return original === undefined ? [] : { ...original, name }
}

/** The last doc comment between two places. */
function commentBetween({ text }: Syntax, start: number, end: number): string {
  return (
    text
      .slice(start, end)
      .match(/\/\*\*[\s\S]*?\*\//g)
      ?.at(-1) ?? ''
  )
}
