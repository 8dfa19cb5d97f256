import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const RECIPES = join(__dirname, '../../examples/recipes')

/** A language that a recipe is written in. */
export interface Language {
  readonly name: string
  readonly file: string
  /** A command that succeeds if this machine has all that the recipe needs. */
  readonly check: string
  /** A shell command that makes the program `$PROGRAM`. Without it, the recipe needs no compiler. */
  readonly compile?: string
  /** The command that runs the recipe. */
  readonly command: readonly string[]
}

const PROGRAM = join(mkdtempSync(join(tmpdir(), 'recipes-')), 'bind')

export const LANGUAGES: readonly Language[] = [
  {
    name: 'sh',
    file: 'bind.sh',
    check: 'true',
    command: ['/bin/sh', join(RECIPES, 'bind.sh')],
  },
  {
    name: 'Python',
    file: 'bind.py',
    check: 'python3 --version',
    command: ['python3', join(RECIPES, 'bind.py')],
  },
  {
    name: 'Go',
    file: 'bind.go',
    check: 'go version',
    compile: `go build -o "$PROGRAM.go" bind.go`,
    command: [`${PROGRAM}.go`],
  },
  {
    name: 'C',
    file: 'bind.c',
    check: String.raw`printf '#include <curl/curl.h>\n#include <openssl/evp.h>\n' | cc -E -`,
    compile: `cc -Wall -Wextra -Werror -o "$PROGRAM.c" bind.c -lcurl -lcrypto`,
    command: [`${PROGRAM}.c`],
  },
]

/** Whether this machine can run the recipe. */
export function isInstalled({ check }: Language): boolean {
  return spawnSync('/bin/sh', ['-c', check], { stdio: 'ignore' }).status === 0
}

/** @throws Error with the messages of the compiler */
export function compile({ compile: command, name }: Language): void {
  if (command === undefined) return
  const env = { ...process.env, PROGRAM }
  const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: RECIPES, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name}: ${stderr}`)
}

export function removePrograms(): void {
  rmSync(join(PROGRAM, '..'), { recursive: true, force: true })
}

/** What a recipe printed, and the code it ended with. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a recipe with an environment that contains nothing else. */
export function runRecipe({ command }: Language, env: Readonly<Record<string, string>>): Promise<Ended> {
  const { PATH = '', HOME = '' } = process.env
  const [program = '', ...arguments_] = command
  const child = spawn(program, arguments_, { env: { PATH, HOME, ...env } })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text
    })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...printed }))
  })
}
