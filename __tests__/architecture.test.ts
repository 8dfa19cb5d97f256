import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { basename, dirname, join, posix } from 'node:path'
import { parseSync } from '@swc/core'

/** The folders of lib from the ground up. A file imports from its own folder and from those before it, and no others. */
const FOLDERS = [
  'base',
  'jose',
  'ports',
  'monitoring',
  'certificates',
  'possession',
  'clients',
  'tokens',
  'registration',
  'redemption',
  'remote',
  'stores',
  'options',
  'http',
  // The wiring and the public names.
  '',
  // Nothing in lib imports it.
  'testing',
] as const

/** The folders of the protocol, which know nothing of HTTP, processes and timers. */
const PROTOCOL: readonly string[] = FOLDERS.slice(0, FOLDERS.indexOf('remote'))

/** The packages of lib, and the only files that may import them. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  express: /^http\//,
  helmet: /^http\//,
  'express-rate-limit': /^(http\/|options\/rate-limits\.ts$)/,
  jsonwebtoken: /^jose\/jwt\.ts$/,
}

/** What a store may know: the ports, how to fail, the shape of the clients that it keeps, and its own parts. */
const OPEN_TO_STORES =
  /^(ports\/(store|client)|base\/(errors|deadline)|clients\/client-record|stores\/.+)\.ts$/

const CLOSED_TO_PROTOCOL =
  /^node:(https?|http2|timers|timers\/promises|process|console|fs|fs\/promises|child_process)$/
const GLOBALS_CLOSED_TO_PROTOCOL = /^(process|console|setTimeout|setInterval|setImmediate)$/
const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|types)$/
const BELOW_LINES = { file: 250, function: 40 }

const lib = join(__dirname, '..', 'lib')
const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map(readSource)

describe('the architecture of lib', () => {
  it('lists every folder, and no folder that does not exist', () => {
    expect([...new Set(sources.map(({ path }) => folderOf(path)))].sort()).toEqual([...FOLDERS].sort())
  })

  it('imports from folders further down only, so that no folders form a circle', () => {
    const upwards = faults(({ path, imports }) =>
      imports
        .filter(({ file }) => file !== undefined && heightOf(file) > heightOf(path))
        .map(({ file, line }) => `${path}:${line} imports ${file}, from a folder above`),
    )
    expect(upwards).toEqual([])
  })

  it('has no circles of files', () => {
    expect(circles()).toEqual([])
  })

  it('imports only files that are there, named with their .js extension', () => {
    const lost = faults(({ path, imports }) =>
      imports
        .filter(
          ({ file, specifier }) =>
            file !== undefined && !(specifier.endsWith('.js') && existsSync(join(lib, file))),
        )
        .map(({ specifier, line }) => `${path}:${line} imports ${specifier}`),
    )
    expect(lost).toEqual([])
  })

  it('imports packages only in the rooms that own them, and Node by its node: names', () => {
    const strays = faults(({ path, imports }) =>
      imports
        .filter(({ file, specifier }) => file === undefined && !mayImport(path, specifier))
        .map(({ specifier, line }) => `${path}:${line} may not import ${specifier}`),
    )
    expect(strays).toEqual([])
  })

  it('has exactly one importer of jsonwebtoken', () => {
    const importers = sources.filter(({ imports }) =>
      imports.some(({ specifier }) => specifier === 'jsonwebtoken'),
    )
    expect(importers.map(({ path }) => path)).toEqual(['jose/jwt.ts'])
  })

  it('keeps the protocol free of servers, processes, consoles and timers', () => {
    const leaks = faults(({ path, imports, globals }) => [
      ...imports
        .filter(({ specifier }) => CLOSED_TO_PROTOCOL.test(specifier))
        .map(({ specifier }) => `${path} imports ${specifier}`),
      ...globals
        .filter(({ name }) => GLOBALS_CLOSED_TO_PROTOCOL.test(name))
        .map(({ name, line }) => `${path}:${line} uses ${name}`),
    ])
    // One file has the timer of all deadlines.
    const ofProtocol = (leak: string) =>
      PROTOCOL.includes(folderOf(leak)) && !leak.startsWith('base/deadline.ts')
    expect(leaks.filter(ofProtocol)).toEqual([])
  })

  it('reads the environment and writes to the console in the command line alone', () => {
    const leaks = faults(({ path, globals }) =>
      globals
        .filter(({ name }) => /^(process\.env|console)$/.test(name))
        .map(({ name, line }) => `${path}:${line} uses ${name}`),
    )
    expect(leaks.filter((leak) => !leak.startsWith('cli/'))).toEqual([])
  })

  it('lets stores know nothing but their port and the errors', () => {
    const leaks = faults(({ path, imports }) =>
      imports
        .filter(({ file }) => file !== undefined && !OPEN_TO_STORES.test(file))
        .map(({ file, line }) => `${path}:${line} imports ${file}`),
    )
    expect(leaks.filter((leak) => leak.startsWith('stores/'))).toEqual([])
  })

  it('holds no state outside what it makes', () => {
    expect(
      faults(({ path, state }) =>
        state.map(({ name, line }) => `${path}:${line} keeps ${name} at module level`),
      ),
    ).toEqual([])
  })

  it('gives files names that say what is in them', () => {
    const words = (path: string) => path.replace(/\.ts$/, '').split('/')
    const empty = sources.filter(({ path }) => words(path).some((word) => NAMES_THAT_SAY_NOTHING.test(word)))
    expect(empty.map(({ path }) => path)).toEqual([])
  })

  it(`keeps files under ${BELOW_LINES.file} lines and functions under ${BELOW_LINES.function}`, () => {
    const long = faults(({ path, lines, functions }) => [
      ...(lines < BELOW_LINES.file ? [] : [`${path} has ${lines} lines`]),
      ...functions
        .filter((each) => each.lines >= BELOW_LINES.function)
        .map((each) => `${path}:${each.line} ${each.name} has ${each.lines} lines`),
    ])
    expect(long).toEqual([])
  })
})

interface Import {
  readonly specifier: string
  /** The file of lib that a relative specifier means; `undefined` for packages. */
  readonly file: string | undefined
  readonly line: number
}

interface Named {
  readonly name: string
  readonly line: number
}

interface Source {
  readonly path: string
  readonly lines: number
  readonly imports: Import[]
  /** The lines of each function without those of the functions in it, which are counted by themselves. */
  readonly functions: (Named & { readonly lines: number })[]
  readonly globals: Named[]
  readonly state: Named[]
}

/** A node of the syntax tree: only what is read here. */
interface Node {
  readonly type: string
  readonly span?: { readonly start: number; readonly end: number }
  readonly [property: string]: unknown
}

function faults(find: (source: Source) => readonly string[]): string[] {
  return sources.flatMap(find)
}

/** The folder of a file, which is a subject; '' for the files of lib itself. */
function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
}

function heightOf(path: string): number {
  return (FOLDERS as readonly string[]).indexOf(folderOf(path))
}

function mayImport(path: string, specifier: string): boolean {
  if (specifier.startsWith('node:')) return builtinModules.includes(specifier.slice('node:'.length))
  const rooms = Object.hasOwn(PACKAGES, specifier) ? PACKAGES[specifier] : undefined
  return rooms?.test(path) ?? false
}

/** Each circle once, as the path that closes it; imports of types count. */
function circles(): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (done.has(path)) return
    done.add(path)
    const source = sources.find((each) => each.path === path)
    for (const { file } of source?.imports ?? []) if (file !== undefined) visit(file, [...trail, path])
  }
  for (const { path } of sources) visit(path, [])
  return found
}

function readSource(path: string): Source {
  const text = readFileSync(join(lib, path), 'utf8').replace(/^#!.*/, '')
  const source: Source = {
    path,
    lines: text.trimEnd().split('\n').length,
    imports: [],
    functions: [],
    globals: [],
    state: [],
  }
  // The positions of swc count bytes, on from the file it parsed before: a first statement shows from where.
  const bytes = Buffer.from(`;${text}`)
  const { body } = parseSync(bytes.toString(), { syntax: 'typescript', target: 'es2022' })
  const origin = body[0]?.span.start ?? 0
  const lineAt = (position = origin) =>
    bytes
      .subarray(0, position - origin)
      .toString()
      .split('\n').length
  /** Answers with the lines that the functions within `node` take up. */
  const visit = (node: Node, outerName: string): number => {
    const name = nameIn(node) ?? outerName
    const line = lineAt(node.span?.start)
    for (const specifier of specifiersOf(node))
      source.imports.push({ specifier, file: fileOf(path, specifier), line })
    for (const global of globalsOf(node)) source.globals.push({ name: global, line })
    const nested = childrenOf(node).reduce((sum, child) => sum + visit(child, name), 0)
    if (!isFunction(node)) return nested
    const lines = lineAt(node.span?.end) - line
    source.functions.push({ name, line, lines: lines + 1 - nested })
    return lines
  }
  for (const statement of body as unknown as Node[]) {
    visit(statement, '(module)')
    for (const name of stateIn(statement)) source.state.push({ name, line: lineAt(statement.span?.start) })
  }
  return source
}

/** `process.env` is recorded as `process` and as `process.env`. */
function globalsOf({ type, value, object, property }: Node): string[] {
  if (type === 'Identifier') return [String(value)]
  const isMember =
    type === 'MemberExpression' && isNode(object, 'Identifier') && isNode(property, 'Identifier')
  return isMember ? [`${object['value']}.${property['value']}`] : []
}

function childrenOf(node: Node): Node[] {
  // The names of members are not references to globals.
  const members = Object.entries(node).filter(
    ([key, value]) => !(/^(property|key)$/.test(key) && isNode(value, 'Identifier')),
  )
  return members.flatMap(([, value]) => (Array.isArray(value) ? value : [value])).flatMap(unwrap)
}

/** Arguments and elements come wrapped: `{ spread, expression }`. */
function unwrap(value: unknown): Node[] {
  if (typeof value !== 'object' || value === null) return []
  return isNode(value) ? [value] : Object.values(value).flatMap((each) => (isNode(each) ? [each] : []))
}

function isNode(value: unknown, type?: string): value is Node {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string')
    return false
  return type === undefined || value.type === type
}

function isFunction({ type, body }: Node): boolean {
  return (
    /^(Function(Declaration|Expression)|ArrowFunctionExpression|ClassMethod|PrivateMethod|MethodProperty|Constructor|[GS]etterProperty)$/.test(
      type,
    ) && body !== null
  )
}

function nameIn(node: Node): string | undefined {
  const named = [node['identifier'], node['key'], node['id']].find((each) => isNode(each)) as Node | undefined
  return typeof named?.['value'] === 'string' ? named['value'] : undefined
}

function specifiersOf(node: Node): string[] {
  const calls =
    node.type === 'CallExpression' &&
    (isNode(node['callee'], 'Import') || (node['callee'] as Node)['value'] === 'require')
  const literals = calls
    ? unwrap((node['arguments'] as unknown[])[0])
    : [node['source'], node['argument'], node['expression']]
  const names = /^(Import|Export(Named|All)|TsImportType|TsExternalModuleReference)/.test(node.type)
  if (!(calls || names)) return []
  return literals.flatMap((literal) => (isNode(literal, 'StringLiteral') ? [String(literal['value'])] : []))
}

function fileOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return posix.join(dirname(path), dirname(specifier), `${basename(specifier, '.js')}.ts`)
}

/** What of a top-level statement can change later: `let`, and collections that begin empty. */
function stateIn(statement: Node): string[] {
  const declaration = (statement['declaration'] ?? statement) as Node
  if (declaration.type !== 'VariableDeclaration') return []
  const declarators = declaration['declarations'] as Node[]
  return declarators
    .filter(({ init }) => declaration['kind'] !== 'const' || (isNode(init) && beginsEmpty(init)))
    .map((declarator) => nameIn(declarator) ?? 'a variable')
}

function beginsEmpty({ type, callee, ...node }: Node): boolean {
  if (type === 'ArrayExpression') return (node['elements'] as unknown[]).length === 0
  if (type === 'ObjectExpression') return (node['properties'] as unknown[]).length === 0
  const collection = isNode(callee) && /^(Weak)?(Map|Set)$/.test(String(callee['value']))
  return (
    type === 'NewExpression' && collection && ((node['arguments'] as unknown[] | null) ?? []).length === 0
  )
}
