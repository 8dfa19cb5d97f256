import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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

/** The package as npm packs it, and projects that install it. */
export interface PackedPackage {
  readonly tarball: string
  install(project: string, ...others: string[]): Project
  remove(): void
}

export function packPackage(): PackedPackage {
  const place = mkdtempSync(join(tmpdir(), `${NAME}-`))
  run(process.execPath, [join(ROOT, 'scripts', 'setup.mjs')], ROOT)
  const packed = npm(['pack', '--json', '--ignore-scripts', `--pack-destination=${place}`], ROOT)
  const [{ filename }] = JSON.parse(packed)
  const tarball = join(place, filename)
  return {
    tarball,
    install(project, ...others) {
      const folder = join(place, project)
      const write = (file: string, text: string) => {
        mkdirSync(dirname(join(folder, file)), { recursive: true })
        writeFileSync(join(folder, file), text)
      }
      write('package.json', JSON.stringify({ name: project, private: true }))
      npm([...INSTALL, tarball, ...others], folder)
      return { folder, write, node: (arguments_) => run(process.execPath, arguments_, folder) }
    },
    remove: () => rmSync(place, { recursive: true, force: true }),
  }
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
