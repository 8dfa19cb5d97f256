import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TYPESCRIPT } from '../support/run-program'

export const ROOT = join(__dirname, '../..')

const started = new Set<ChildProcess>()

// A failed test may leave processes behind.
afterAll(() => {
  for (const child of started) child.kill('SIGKILL')
})

/** A program of the demo in its own process, with its output so far. */
export interface Child {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly kill: (signal: NodeJS.Signals) => void
  /** Resolves with the exit code, or with the name of the signal that ended it. */
  readonly exited: Promise<number | string | null>
}

/** Runs `demo-app/<program>`, with PATH and HOME as its only other environment variables. */
export function run(
  program: 'main.ts' | 'tour.ts',
  env: Record<string, string>,
  arguments_: readonly string[] = [],
): Child {
  return launch(process.execPath, [...TYPESCRIPT, `demo-app/${program}`, ...arguments_], { env })
}

export function launch(
  command: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string },
): Child {
  if (!existsSync(join(ROOT, 'dist/index.mjs'))) throw new Error('dist is missing; `npm run build` makes it')
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(command, args, { cwd: ROOT, env: { PATH, HOME, ...env } })
  started.add(child)
  child.once('close', () => started.delete(child))
  const printed = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    printed.stderr += text
  })
  child.stdin.end(input)
  return {
    pid: child.pid ?? Number.NaN,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    kill: (signal) => void child.kill(signal),
    exited: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal))),
  }
}

export interface Demo extends Child {
  readonly port: number
  readonly httpPort: number
}

/**
 * Starts the demo on free ports, and waits until it has printed its text. For a moment, the given port may belong to a
 * connection of another test, so this tries again for up to 20 seconds.
 */
export async function startDemo(
  env: Record<string, string> = {},
  arguments_: readonly string[] = ['--commands'],
): Promise<Demo> {
  const deadline = Date.now() + 20_000
  for (;;) {
    try {
      return await startOnce(env, arguments_)
    } catch (error) {
      if (Date.now() > deadline || !String(error).includes('is in use by another program')) throw error
      await sleep(200)
    }
  }
}

async function startOnce(env: Record<string, string>, arguments_: readonly string[]): Promise<Demo> {
  const child = run('main.ts', { PORT: '0', HTTP_PORT: '0', ...env }, arguments_)
  let code: unknown
  child.exited.then((exitCode) => {
    code = exitCode
  })
  while (!child.stdout().includes('Ctrl-C')) {
    if (code !== undefined) throw new Error(`the demo ended with ${code}: ${child.stderr()}`)
    await sleep(10)
  }
  return {
    ...child,
    port: Number(/https:\/\/localhost:(\d+)/.exec(child.stdout())?.[1]),
    httpPort: Number(/http:\/\/localhost:(\d+)/.exec(child.stdout())?.[1]),
  }
}
