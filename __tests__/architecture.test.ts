import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { atRuntime, circlesOfFiles, circlesOfFolders, folderOf, longestChain } from '../scripts/house/graph'
import { readTree, type Source } from '../scripts/house/source'

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
  'operations',
  'http',
  'administration',
  // The wiring and the public names.
  '',
  // Entries of their own: nothing else in lib imports them.
  'client',
  'notifications',
  'siem',
  'testing',
  // What the commands that check something have in common.
  'checks',
  // The command line. Nothing imports it.
  'cli',
] as const

/** The folders of the protocol, which know nothing of HTTP, processes and timers. */
const PROTOCOL: readonly string[] = FOLDERS.slice(0, FOLDERS.indexOf('remote'))

/** The packages of lib, and the only files and folders that may import them. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  express: ['http/', 'administration/', 'testing/', 'checks/client/genuine-issuer.ts'],
  uplot: ['administration/'],
  helmet: ['http/'],
  'express-rate-limit': ['http/', 'options/rate-limits.ts'],
  jsonwebtoken: ['jose/jwt.ts'],
  oauth4webapi: ['client/issuer.ts'],
}

/** Files that a store may import: the ports, errors, the schema of clients, and its own parts. */
const OPEN_TO_STORES = [
  'ports/store.ts',
  'ports/store-verbs.ts',
  'ports/store-outcomes.ts',
  'ports/key-record.ts',
  'ports/listing.ts',
  'ports/monitoring-store.ts',
  'ports/client.ts',
  'base/cluster.ts',
  'base/errors.ts',
  'base/deadline.ts',
  'base/faults.ts',
  'base/object.ts',
  'base/schema.ts',
  'clients/client-record.ts',
  'stores/',
]

const CLOSED_TO_PROTOCOL =
  /^node:(https?|http2|timers|timers\/promises|process|console|fs|fs\/promises|child_process)$/
const GLOBALS_CLOSED_TO_PROTOCOL = /^(process|console|setTimeout|setInterval|setImmediate)$/
const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|types)$/
const BELOW_LINES = { file: 250, function: 40 }
const MOST_PARAMETERS = 4

/** The most files of which each imports the next at run time. Lower it when the chain shrinks. */
const LONGEST_CHAIN = 12

const root = join(__dirname, '..')
const lib = join(root, 'lib')
const sources = readTree(lib)

describe('the architecture of lib', () => {
  it('lists every folder, and no folder that does not exist', () => {
    expect([...new Set(sources.map(({ path }) => folderOf(path)))].sort()).toEqual([...FOLDERS].sort())
  })

  it('is drawn in docs/architecture.md with each folder above those that it may import', () => {
    const page = readFileSync(join(root, 'docs', 'architecture.md'), 'utf8')
    const [, drawing = ''] = /^```\n([\s\S]*?)^```/m.exec(page) ?? []
    const drawn = [...drawing.matchAll(/^ {2}(?:(\w+)\/|index\.ts) /gm)].map(([, folder = '']) => folder)
    expect(drawn).toEqual([...FOLDERS].reverse())
  })

  it('imports from folders further down only, so that no folders form a circle', () => {
    const upwards = faults(({ path, imports }) =>
      imports
        .filter(({ file }) => file !== undefined && heightOf(file) > heightOf(path))
        .map(({ file, line }) => `${path}:${line} imports ${file}, from a folder above`),
    )
    expect(upwards).toEqual([])
  })

  it('names only files and folders that exist', () => {
    const named = [...Object.values(PACKAGES).flat(), ...OPEN_TO_STORES]
    expect(named.filter((path) => !existsSync(join(lib, path)))).toEqual([])
  })

  it(`has chains of at most ${LONGEST_CHAIN} files that import each other at run time`, () => {
    const chain = longestChain(atRuntime(sources))
    expect(chain.length > LONGEST_CHAIN ? chain : []).toEqual([])
  })

  it('imports only files that are there, named with their extension .js or .json', () => {
    const lost = faults(({ path, imports }) =>
      imports
        .filter(
          ({ file, specifier }) =>
            file !== undefined && !(/\.js(on)?$/.test(specifier) && existsSync(join(lib, file))),
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
    // One file has the timer of all deadlines, and one asks whether the process is a worker.
    const ofProtocol = (leak: string) =>
      PROTOCOL.includes(folderOf(leak)) && !/^base\/(background|deadline|cluster)\.ts/.test(leak)
    expect(leaks.filter(ofProtocol)).toEqual([])
  })

  it('reads nothing of the environment but NODE_ENV and named secrets, and writes nothing to the console', () => {
    // The command line is a program of its own, so its environment is for it.
    const isProgram = (path: string) => folderOf(path) === 'cli'
    const readers = ['options/local.ts', 'client/node/secrets.ts', 'testing/testing.ts']
    const readsNodeEnv = (path: string, name: string) => readers.includes(path) && name === 'process.env'
    const replacesConsole = (path: string) => path === 'testing/captured-output.ts'
    const leaks = faults(({ path, globals }) =>
      globals
        .filter(({ name }) => /^(process\.env|console)$/.test(name) && !readsNodeEnv(path, name))
        .filter(() => !isProgram(path) && !replacesConsole(path))
        .map(({ name, line }) => `${path}:${line} uses ${name}`),
    )
    expect(leaks).toEqual([])
  })

  it('has a client that needs nothing of Node, except in the entry client/node', () => {
    const isForNode = (path: string) => path === 'client/node.ts' || path.startsWith('client/node/')
    const reached = new Set(['client/client.ts'])
    for (const path of reached)
      for (const { file, isRuntime } of sources.find((source) => source.path === path)?.imports ?? [])
        if (file !== undefined && isRuntime) reached.add(file)
    const needs = faults(({ path, imports, globals }) => [
      ...imports
        .filter(({ specifier }) => specifier.startsWith('node:'))
        .map(({ line }) => `${path}:${line}`),
      ...globals
        .filter(({ name }) => /^(process|Buffer|require|setImmediate)$/.test(name))
        .map(({ line }) => `${path}:${line}`),
    ])
    expect(needs.filter((place) => reached.has(place.replace(/:.*/, '')))).toEqual([])
    expect([...reached].filter(isForNode)).toEqual([])
  })

  it('lets stores know nothing but their port and the errors', () => {
    const leaks = faults(({ path, imports }) =>
      imports
        .filter(({ file }) => file !== undefined && !isAmong(OPEN_TO_STORES, file))
        .map(({ file, line }) => `${path}:${line} imports ${file}`),
    )
    expect(leaks.filter((leak) => leak.startsWith('stores/'))).toEqual([])
  })

  it('keeps no state at module level', () => {
    expect(
      faults(({ path, state }) =>
        state.map(({ name, line }) => `${path}:${line} keeps ${name} at module level`),
      ),
    ).toEqual([])
  })

  it('gives files descriptive names', () => {
    const words = (path: string) => path.replace(/\.ts$/, '').split('/')
    const empty = sources.filter(({ path }) => words(path).some((word) => NAMES_THAT_SAY_NOTHING.test(word)))
    expect(empty.map(({ path }) => path)).toEqual([])
  })

  it(`keeps files under ${BELOW_LINES.file} lines`, () => {
    const long = sources.filter(({ lines }) => lines >= BELOW_LINES.file)
    expect(long.map(({ path, lines }) => `${path} has ${lines} lines`)).toEqual([])
  })

  it(`keeps functions under ${BELOW_LINES.function} lines with the functions in them`, () => {
    const long = faults(({ path, functions }) =>
      functions
        .filter(({ lines, isNested }) => !isNested && lines >= BELOW_LINES.function)
        .map(({ name, line, lines }) => `${path}:${line} ${name} has ${lines} lines`),
    )
    expect(long).toEqual([])
  })

  it(`gives a function at most ${MOST_PARAMETERS} parameters`, () => {
    const many = faults(({ path, functions }) =>
      functions
        .filter(({ parameters }) => parameters > MOST_PARAMETERS)
        .map(({ name, line, parameters }) => `${path}:${line} ${name} has ${parameters} parameters`),
    )
    expect(many).toEqual([])
  })
})

describe.each(['lib', 'demo-app', 'faults', 'simulation'])('the imports of %s', (tree) => {
  const files = tree === 'lib' ? sources : readTree(join(root, tree))

  it('form no circles of files', () => {
    expect(circlesOfFiles(files)).toEqual([])
  })

  it('form no circles of folders', () => {
    expect(circlesOfFolders(files)).toEqual([])
  })
})

function faults(find: (source: Source) => readonly string[]): string[] {
  return sources.flatMap(find)
}

function heightOf(path: string): number {
  return (FOLDERS as readonly string[]).indexOf(folderOf(path))
}

function mayImport(path: string, specifier: string): boolean {
  if (specifier.startsWith('node:')) return builtinModules.includes(specifier.slice('node:'.length))
  return Object.hasOwn(PACKAGES, specifier) && isAmong(PACKAGES[specifier] ?? [], path)
}

/** Whether a file is one of these files, or in one of these folders, which end in a slash. */
function isAmong(places: readonly string[], file: string): boolean {
  return places.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place))
}
