import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Import, importsIn } from './imports'
import {
  functionBodyOf,
  isNode,
  type Node,
  nameIn,
  parametersOf,
  parse,
  type Syntax,
  type Visited,
  visitAll,
} from './syntax'

export interface Named {
  readonly name: string
  readonly line: number
}

export interface MeasuredFunction extends Named {
  /** All its lines, including the functions in it. */
  readonly lines: number
  /** Its lines, excluding the functions in it. */
  readonly ownLines: number
  readonly parameters: number
  /** Whether it is in another function, whose lines include it. */
  readonly isNested: boolean
}

/** Measurements of a source file. */
export interface Source {
  /** Relative to the root of its tree, with slashes: `http/context.ts`. */
  readonly path: string
  readonly lines: number
  readonly codeLines: number
  readonly commentLines: number
  readonly imports: readonly Import[]
  readonly functions: readonly MeasuredFunction[]
  /** References to variables by name; `process.env` is listed as `process` and as `process.env`. */
  readonly globals: readonly Named[]
  /** Variables at module level that can change: `let`, and collections that are empty at first. */
  readonly state: readonly Named[]
  /** Interfaces, type aliases and classes. */
  readonly namedTypes: number
  readonly anys: number
}

/** Reads all TypeScript files below a folder. */
export function readTree(root: string): Source[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => readSource(readFileSync(join(root, path), 'utf8'), path))
}

function readSource(file: string, path: string): Source {
  const syntax = parse(file.replace(/^#!.*/, ''))
  const visited = visitAll(syntax)
  const count = (type: RegExp) => visited.filter(({ node }) => type.test(node.type)).length
  return {
    path,
    lines: file.trimEnd().split('\n').length,
    ...linesOf(syntax, visited),
    imports: visited.flatMap((each) => importsIn(path, each)),
    functions: functionsAmong(visited),
    globals: visited.flatMap(({ node, line }) => globalsIn(node).map((name) => ({ name, line }))),
    state: visited
      .filter(({ around }) => around.length === 0)
      .flatMap(({ node, line }) => stateIn(node).map((name) => ({ name, line }))),
    namedTypes: count(/^(TsInterfaceDeclaration|TsTypeAliasDeclaration|ClassDeclaration)$/),
    anys: visited.filter(({ node }) => node.type === 'TsKeywordType' && node['kind'] === 'any').length,
  }
}

/** Counts lines with code, and lines that have a comment and no code. Blank lines are neither. */
function linesOf({ text, range }: Syntax, visited: readonly Visited[]) {
  // Hide literals, because they can contain the start of a comment.
  let masked = text
  for (const { node } of visited) {
    if (!/^(StringLiteral|TemplateElement|RegExpLiteral)$/.test(node.type)) continue
    const [start, end] = range(node)
    masked = masked.slice(0, start) + text.slice(start, end).replace(/\S/g, '_') + masked.slice(end)
  }
  const code = masked.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, (comment) => comment.replace(/[^\n]/g, ''))
  const filled = (lines: string) => lines.split('\n').filter((line) => line.trim() !== '').length
  const codeLines = filled(code)
  return { codeLines, commentLines: filled(text) - codeLines }
}

function functionsAmong(visited: readonly Visited[]): MeasuredFunction[] {
  const functions = visited.filter(({ node }) => functionBodyOf(node) !== undefined)
  const outerOf = ({ around }: Visited) => around.find((each) => functionBodyOf(each) !== undefined)
  const nestedLines = new Map<Node, number>()
  for (const visitedFunction of functions) {
    const { line, lastLine } = visitedFunction
    const outer = outerOf(visitedFunction)
    if (outer !== undefined) nestedLines.set(outer, (nestedLines.get(outer) ?? 0) + lastLine - line)
  }
  return functions.map((each) => {
    const { node, around, line, lastLine } = each
    const lines = lastLine - line + 1
    const name = [node, ...around].map(nameIn).find((known) => known !== undefined) ?? '(module)'
    return {
      name,
      line,
      lines,
      parameters: parametersOf(node).length,
      ownLines: lines - (nestedLines.get(node) ?? 0),
      isNested: outerOf(each) !== undefined,
    }
  })
}

function globalsIn({ type, value, object, property }: Node): string[] {
  if (type === 'Identifier') return [String(value)]
  const isMember =
    type === 'MemberExpression' && isNode(object, 'Identifier') && isNode(property, 'Identifier')
  return isMember ? [`${object['value']}.${property['value']}`] : []
}

function stateIn(statement: Node): string[] {
  const declaration = (statement['declaration'] ?? statement) as Node
  if (declaration.type !== 'VariableDeclaration') return []
  const declarators = declaration['declarations'] as Node[]
  return declarators
    .filter(({ init }) => declaration['kind'] !== 'const' || (isNode(init) && isEmpty(init)))
    .map((declarator) => nameIn(declarator) ?? 'a variable')
}

function isEmpty({ type, callee, ...node }: Node): boolean {
  if (type === 'ArrayExpression') return (node['elements'] as unknown[]).length === 0
  if (type === 'ObjectExpression') return (node['properties'] as unknown[]).length === 0
  const collection = isNode(callee) && /^(Weak)?(Map|Set)$/.test(String(callee['value']))
  return (
    type === 'NewExpression' && collection && ((node['arguments'] as unknown[] | null) ?? []).length === 0
  )
}
