import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long the output may stay open after the process has ended: a process that left the group can keep it open. */
const CLOSE_MS = 500
/** How much of the output is kept for messages. All of it is searched for secrets. */
const KEPT_CHARACTERS = 4096

/** A process of the client that has ended. */
export interface ClientRun {
  /** The exit code; `null` if a signal has ended the process. */
  readonly exitCode: number | null
  readonly isTimeout: boolean
  readonly seconds: number
  /** The end of what it printed. */
  readonly printed: string
}

/** How a client is run. */
export interface ClientStart {
  readonly program: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly timeoutSeconds: number
  /** Ends the client. */
  readonly signal: AbortSignal
  /** Receives the id of the session that all processes of the client belong to. */
  readonly onStart: (sessionId: number) => void
  /** Receive all output. */
  readonly onOutput: { readonly [stream in 'stdout' | 'stderr']: (chunk: Buffer) => void }
}

/**
 * Runs a client in a session of its own, without a shell and without input, and ends all processes of its group.
 *
 * @throws the error of `spawn()`, if the program cannot be started
 */
export async function runClient(start: ClientStart): Promise<ClientRun> {
  const [name = '', ...arguments_] = start.program
  const startedAt = performance.now()
  const child = spawn(name, arguments_, { env: start.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const closed = once(child, 'close').catch(() => undefined)
  const { pid } = child
  const end = () => pid !== undefined && endGroup(pid)
  const timer = new AbortController()
  const timeLimit = AbortSignal.any([start.signal, timer.signal])
  if (pid !== undefined) start.onStart(pid)
  const printed = capture({ stdout: child.stdout, stderr: child.stderr }, start.onOutput)
  let isTimeout = false
  const limit = sleep(start.timeoutSeconds * 1000, undefined, { signal: timeLimit })
    .then(() => {
      isTimeout = true
    })
    .catch(() => undefined)
    .then(() => end())
  try {
    const [exitCode] = await exited
    const seconds = (performance.now() - startedAt) / 1000
    return { exitCode, isTimeout, seconds, printed: await printed(closed) }
  } finally {
    timer.abort()
    await limit
  }
}

function capture(
  streams: { readonly [stream in 'stdout' | 'stderr']: Readable },
  onOutput: ClientStart['onOutput'],
): (closed: Promise<unknown>) => Promise<string> {
  const kept = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    streams[name].on('data', (chunk: Buffer) => {
      onOutput[name](chunk)
      kept[name] = (kept[name] + chunk.toString()).slice(-KEPT_CHARACTERS)
    })
  return async (closed) => {
    await Promise.race([closed, sleep(CLOSE_MS)])
    for (const stream of Object.values(streams)) stream.destroy()
    return kept.stderr.trim() === '' ? kept.stdout : kept.stderr
  }
}

/** Ends what is left of a process group. */
function endGroup(groupId: number): void {
  try {
    process.kill(-groupId, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

/**
 * The arguments of all processes of a session, on Linux. On other systems, there are none.
 *
 * @returns the texts, one for each process
 */
export async function argumentsOf(sessionId: number): Promise<readonly string[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    ids.map(async (id) => {
      const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')
      // The fields after the name of the program: state, parent, group, session.
      const session = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]
      if (session !== String(sessionId)) return ''
      return readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    }),
  )
  return found.filter((text) => text !== '')
}
