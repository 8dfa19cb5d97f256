import { parseSync } from '@swc/core'

/** A node of swc's syntax tree, with the members that these scripts read. */
export interface Node {
  readonly type: string
  readonly span?: { readonly start: number; readonly end: number }
  readonly [property: string]: unknown
}

/** A parsed file. Its text is latin1, with one character per byte, because swc's positions count bytes. */
export interface Syntax {
  readonly text: string
  readonly statements: readonly Node[]
  /** The start and end of a node in `text`. */
  range(node: Node): readonly [start: number, end: number]
  /** The line number, starting at 1. */
  lineAt(position: number): number
}

export function parse(source: string): Syntax {
  // swc counts positions over all files that it parses. The first statement, `;`, shows where this file starts.
  const { body } = parseSync(`;${source}`, { syntax: 'typescript', target: 'es2022' })
  const origin = (body[0]?.span.start ?? 0) + 1
  const text = Buffer.from(source).toString('latin1')
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  return {
    text,
    statements: body.slice(1) as unknown as Node[],
    range: ({ span }) => [(span?.start ?? origin) - origin, (span?.end ?? origin) - origin],
    lineAt: (position) => countUpTo(lineStarts, position),
  }
}

/** Counts the numbers up to `limit` in ascending numbers. */
function countUpTo(ascending: readonly number[], limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] ?? 0) <= limit) low = middle + 1
    else high = middle
  }
  return low
}

/** A node and its place. */
export interface Visited {
  readonly node: Node
  /** The nodes that contain it, the innermost first. */
  readonly around: readonly Node[]
  readonly line: number
  readonly lastLine: number
}

/** All nodes of a file, outer nodes before the nodes in them. */
export function visitAll(syntax: Syntax): Visited[] {
  const all: Visited[] = []
  const visit = (node: Node, around: readonly Node[]): void => {
    const [start, end] = syntax.range(node)
    all.push({ node, around, line: syntax.lineAt(start), lastLine: syntax.lineAt(end) })
    const within = [node, ...around]
    for (const child of childrenOf(node)) visit(child, within)
  }
  for (const statement of syntax.statements) visit(statement, [])
  return all
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = []
  for (const [key, value] of Object.entries(node)) {
    if (typeof value !== 'object' || value === null) continue
    // The names of members are not references to globals.
    if ((key === 'property' || key === 'key') && isNode(value, 'Identifier')) continue
    if (Array.isArray(value)) for (const one of value) children.push(...unwrap(one))
    else children.push(...unwrap(value))
  }
  return children
}

/** swc wraps arguments, elements and the functions of methods in objects without a type. */
export function unwrap(value: unknown): Node[] {
  if (typeof value !== 'object' || value === null) return []
  if (isNode(value)) return [value]
  return Object.values(value).flatMap((each) =>
    (Array.isArray(each) ? each : [each]).filter((one) => isNode(one)),
  )
}

export function isNode(value: unknown, type?: string): value is Node {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string')
    return false
  return type === undefined || value.type === type
}

const FUNCTIONS =
  /^(Function(Declaration|Expression)|ArrowFunctionExpression|ClassMethod|PrivateMethod|MethodProperty|Constructor|[GS]etterProperty)$/

/** The body of a function: a block or an expression. `undefined` for other nodes, and for declarations without a body. */
export function functionBodyOf(node: Node): Node | undefined {
  if (!FUNCTIONS.test(node.type)) return undefined
  const body = node['body'] ?? (node['function'] as Partial<Node> | undefined)?.['body']
  return isNode(body) ? body : undefined
}

/** The parameters of a function. */
export function parametersOf(node: Node): readonly unknown[] {
  const { params } = (node['function'] ?? node) as { readonly params?: readonly unknown[] }
  return params ?? []
}

export function nameIn(node: Node): string | undefined {
  const named = [node['identifier'], node['key'], node['id']].find((each) => isNode(each)) as Node | undefined
  return typeof named?.['value'] === 'string' ? named['value'] : undefined
}
