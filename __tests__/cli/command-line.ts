import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../lib/cli/commands.js'
import { Report } from '../../lib/cli/report.js'
import type { ProvisioningOptions } from '../../lib/index.js'
import { type LocalServer, startLocalServer } from '../support/local-server.js'
import { SECRET } from '../support/server.js'

/** The built program: the sources would have to be compiled for each process. */
const MAIN = join(__dirname, '../../dist/cli/main.js')
const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:create', 'devices:read']

/** A command line that has ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Receives the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void
  /** A shell command that runs first and sets a limit. */
  readonly limit?: string
}

/** Runs the command line as a process, with pipes as its standard streams. */
export function run(arguments_: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { env, input = '', onStart, limit = 'true' } = options
  const { PATH = '' } = process.env
  const program = [process.execPath, MAIN, ...arguments_]
  const child = spawn('/bin/sh', ['-c', `${limit}; exec "$@"`, 'sh', ...program], { env: { PATH, ...env } })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text
    })
  child.stdin.on('error', () => undefined)
  if (onStart === undefined) child.stdin.end(input)
  onStart?.(child)
  return new Promise((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, ...printed })),
  )
}

/** Runs the command line in this process, as on a terminal or as in a pipe. Its result goes into a pipe by default. */
export async function runHere(
  arguments_: readonly string[],
  { isTerminal = true, hasResultOnTerminal = false } = {},
) {
  const printed = { stdout: '', stderr: '' }
  const report = new Report((line) => {
    printed.stderr += line
  }, isTerminal)
  const print = async (text: string) => {
    printed.stdout += text
  }
  const screen = { columns: 80, hasColours: false }
  const { signal } = new AbortController()
  const surroundings = { report, print, screen, isTerminal: hasResultOnTerminal, signal }
  const ending = await runCommand(arguments_, surroundings)
  return { ending, ...printed }
}

/** The JSON lines that a process wrote. */
export function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** An issuer for devices of the client `fleet`, and a folder for files. */
export interface Workplace {
  readonly issuer: LocalServer
  path(name: string): string
  /** Writes a file, and returns its path. */
  file(name: string, text: string): string
  /** A provisioning key that is not bound to a DPoP key. */
  keyFor(subject: string, scope: string): Promise<string>
  close(): Promise<void>
}

export async function openWorkplace(options: Partial<ProvisioningOptions> = {}): Promise<Workplace> {
  const folder = mkdtempSync(join(tmpdir(), 'cli-'))
  const policy = { scopes: SCOPES, subjects: ['device:*'] }
  const clients = [{ clientId: 'fleet', clientSecret: SECRET, policy }]
  const issuer = await startLocalServer({ clients, ...options })
  const path = (name: string) => join(folder, name)
  return {
    issuer,
    path,
    file(name, text) {
      writeFileSync(path(name), text, { mode: 0o600 })
      return path(name)
    },
    async keyFor(subject, scope) {
      const response = await fetch(`${issuer.origin}/oauth/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${btoa(`fleet:${SECRET}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', requested_subject: subject, scope }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    async close() {
      await issuer.close()
      rmSync(folder, { recursive: true })
    },
  }
}
