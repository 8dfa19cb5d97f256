import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '../support/run-program'
import { ROOT } from './markdown'

const PACKAGE = 'express-provisioning-keys'
const MODULES = join(ROOT, 'node_modules')

/** A folder of a user, with the package in its node_modules. */
export interface Sandbox {
  readonly folder: string
  write(name: string, text: string): void
  /** The errors of the compiler in the written files, with our own strictness. */
  typeErrors(): string[]
  remove(): void
}

export function makeSandbox(): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'docs-'))
  mkdirSync(join(folder, 'node_modules'))
  for (const name of readdirSync(MODULES).filter((one) => one !== '.bin'))
    symlinkSync(join(MODULES, name), join(folder, 'node_modules', name))
  // npx looks here for the program of the package.
  mkdirSync(join(folder, 'node_modules', '.bin'))
  symlinkSync(join(ROOT, 'dist', 'cli', 'main.js'), join(folder, 'node_modules', '.bin', PACKAGE))
  runProgram(process.execPath, [join(ROOT, 'scripts', 'setup.mjs')]) // builds dist, if it is old
  symlinkSync(ROOT, join(folder, 'node_modules', PACKAGE))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('tsconfig.json', JSON.stringify(COMPILATION))
  return {
    folder,
    write,
    typeErrors: () => compile(folder),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

const COMPILATION = {
  extends: join(ROOT, 'tsconfig.json'),
  include: ['*.mts', '*.d.ts', 'block*.mjs'],
  compilerOptions: { types: ['node'], skipLibCheck: true, allowJs: true, checkJs: true },
}

function compile(folder: string): string[] {
  const tsc = join(MODULES, 'typescript', 'bin', 'tsc')
  const { status, stdout } = runProgram(process.execPath, [tsc, '--pretty', 'false'], { cwd: folder })
  return status === 0 ? [] : stdout.trim().split('\n')
}
