import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { oncePerRun } from '../support/once-per-run'
import { runFolder } from '../support/run-folder'
import { runProgram } from '../support/run-program'

export const NAME = 'express-provisioning-keys'
export const ROOT = join(__dirname, '..', '..')

export const OPTIONS = `{
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  signingKeys: generateSigningKeys('ES256'),
  clients: [
    {
      clientId: 'a',
      clientSecret: 'a-long-enough-secret-for-tests-0123456789',
      policy: { scopes: ['provision:bind'], defaultScopes: ['provision:bind'] },
    },
  ],
}`

export const INSTALL: readonly string[] = ['install', '--prefer-offline', '--no-audit', '--no-fund']

/** A project that has installed the package, in a folder outside this repository. */
export interface Project {
  readonly folder: string
  write(file: string, text: string): void
  /** Runs Node there and returns what it prints. */
  node(arguments_: readonly string[]): string
}

/** The package as npm packs it. Returns the path of the tarball, which all suites of a run share. */
export function packPackage(): Promise<string> {
  return oncePerRun('tarball', () => {
    run(process.execPath, [join(ROOT, 'scripts', 'setup.mjs')], ROOT)
    const packed = npm(['pack', '--json', '--ignore-scripts', `--pack-destination=${runFolder()}`], ROOT)
    const [{ filename }] = JSON.parse(packed)
    return join(runFolder(), filename)
  })
}

/**
 * A project that has installed the package and Express, and nothing else. All suites of a run share it, since npm needs
 * seconds for it. Write only new files into it.
 */
export async function consumerProject(): Promise<Project> {
  const folder = join(runFolder(), 'consumer')
  await oncePerRun('consumer', async () => {
    const { express } = readManifest(join(ROOT, 'package.json')).devDependencies
    install(folder, await packPackage(), `express@${express}`)
  })
  return projectIn(folder)
}

/** Installs the packages with npm, in a new project in this folder. */
export function install(folder: string, ...packages: readonly string[]): Project {
  const project = projectIn(folder)
  project.write('package.json', JSON.stringify({ name: basename(folder), private: true }))
  npm([...INSTALL, ...packages], folder)
  return project
}

export function projectIn(folder: string): Project {
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  return { folder, write, node: (arguments_) => run(process.execPath, arguments_, folder) }
}

export interface Manifest {
  readonly type?: string
  readonly main?: string
  readonly exports?: unknown
  readonly devDependencies: Readonly<Record<string, string>>
}

export function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest
}

export function npm(
  arguments_: readonly string[],
  cwd: string,
  env?: Readonly<Record<string, string>>,
): string {
  return run('npm', ['--loglevel=error', ...arguments_], cwd, env)
}

/** The npm that runs these tests describes its own package in variables. The program does not get these. */
export function run(command: string, arguments_: readonly string[], cwd: string, more = {}): string {
  const own = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle)_|npm_config_local_prefix|JEST_|NODE_ENV)/.test(name),
    ),
  )
  const { status, stdout, stderr } = runProgram(command, arguments_, { cwd, env: { ...own, ...more } })
  if (status !== 0) throw new Error(`${command} ${arguments_.join(' ')} failed\n${stdout}\n${stderr}`)
  return stdout
}
