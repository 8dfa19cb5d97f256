import { basename, dirname, posix } from 'node:path'
import { isNode, type Node, unwrap, type Visited } from './syntax'

export interface Import {
  readonly specifier: string
  /** The file of a relative specifier, relative to the root of the tree; `undefined` for packages. */
  readonly file: string | undefined
  readonly line: number
  /** Whether Node loads the file. An import of types alone is erased. */
  readonly isRuntime: boolean
  /** Whether Node loads the file only when it gets there: `import()`. */
  readonly isDeferred?: boolean
}

/** The imports and re-exports of a node in the file at `path`. */
export function importsIn(path: string, { node, line }: Visited): Import[] {
  return specifiersIn(node).map((specifier) => ({
    specifier,
    file: fileOf(path, specifier),
    line,
    isRuntime: isRuntime(node),
    isDeferred: isNode(node['callee'], 'Import'),
  }))
}

function specifiersIn(node: Node): string[] {
  const isCall =
    node.type === 'CallExpression' &&
    (isNode(node['callee'], 'Import') || (node['callee'] as Node)['value'] === 'require')
  const isDeclaration = /^(Import|Export(Named|All)|TsImportType|TsExternalModuleReference)/.test(node.type)
  if (!(isCall || isDeclaration)) return []
  const literals = isCall
    ? unwrap((node['arguments'] as unknown[])[0])
    : [node['source'], node['argument'], node['expression']]
  return literals.flatMap((literal) => (isNode(literal, 'StringLiteral') ? [String(literal['value'])] : []))
}

function isRuntime(node: Node): boolean {
  if (node.type === 'TsImportType' || node['typeOnly'] === true) return false
  const specifiers = (node['specifiers'] ?? []) as readonly Node[]
  return specifiers.length === 0 || specifiers.some((specifier) => specifier['isTypeOnly'] !== true)
}

/** `./wire.js` and `./wire` both mean `wire.ts`. A file of data is itself. */
function fileOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const file = specifier.endsWith('.json') ? basename(specifier) : `${basename(specifier, '.js')}.ts`
  return posix.join(dirname(path), dirname(specifier), file)
}
