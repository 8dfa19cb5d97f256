import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { ROOT } from './markdown'

const PACKAGE = 'express-provisioning-keys'
/** The entries of the package, and the files of lib from which they are made. */
const ENTRIES = {
  '.': 'index',
  './keyv': 'stores/keyv/keyv',
  './redis': 'stores/redis/redis',
  './testing': 'testing/store-contract',
}
const MODULES = join(ROOT, 'node_modules')

/** A folder of a user, with the package, made from lib, in its node_modules. */
export interface Sandbox {
  readonly folder: string
  write(name: string, text: string): void
  /** The errors of the compiler in the written files, with our own strictness. */
  typeErrors(): string[]
  remove(): void
}

export function makeSandbox(): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'docs-'))
  const installed = join(folder, 'node_modules', PACKAGE)
  mkdirSync(installed, { recursive: true })
  for (const name of readdirSync(MODULES))
    symlinkSync(join(MODULES, name), join(folder, 'node_modules', name))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  const sources = Object.values(ENTRIES).map((name) => join(ROOT, 'lib', `${name}.ts`))
  const exported = Object.entries(ENTRIES).map(([subpath, name]) => [subpath, `./${name}.js`])
  const manifest = { name: PACKAGE, main: 'index.js', exports: Object.fromEntries(exported) }
  writeFileSync(join(installed, 'package.json'), JSON.stringify(manifest))
  buildSync({
    entryPoints: sources,
    outdir: installed,
    bundle: true,
    platform: 'node',
    packages: 'external',
  })
  write('declarations.json', tsconfig({ files: sources }, declarationsIn(installed)))
  const undeclared = compile(folder, 'declarations.json')
  if (undeclared.length > 0) throw new Error(undeclared.join('\n'))
  const files = ['*.mts', '*.d.ts', 'block*.mjs']
  write('tsconfig.json', tsconfig({ include: files }, { allowJs: true, checkJs: true }))
  return {
    folder,
    write,
    typeErrors: () => compile(folder, 'tsconfig.json'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

function tsconfig(files: { files: string[] } | { include: string[] }, options: object): string {
  const compilerOptions = { types: ['node'], skipLibCheck: true, ...options }
  return JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), include: [], ...files, compilerOptions })
}

/** Only declarations: `npm run types` checks lib itself. */
function declarationsIn(outDir: string) {
  const emitted = { noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true }
  return { ...emitted, rootDir: join(ROOT, 'lib'), outDir }
}

function compile(folder: string, project: string): string[] {
  const tsc = join(MODULES, 'typescript', 'bin', 'tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false', '-p', project], {
    cwd: folder,
    encoding: 'utf8',
  })
  return status === 0 ? [] : stdout.trim().split('\n')
}
