import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Ending, Interruption } from './command.js'

/** What shells answer if they cannot run a program. */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126

/** The program could not be started. */
export class ProgramError extends Error {
  readonly exitCode: number

  constructor(name: string, cause: NodeJS.ErrnoException) {
    const isMissing = cause.code === 'ENOENT'
    super(`--exec: ${isMissing ? 'cannot find' : 'cannot run'} ${name}`, { cause })
    this.exitCode = isMissing ? NOT_FOUND : NOT_EXECUTABLE
  }
}

/**
 * Runs a program with the standard streams of this process, and passes on the signals that end this process.
 *
 * @throws ProgramError
 */
export function runProgram(
  [name = '', ...arguments_]: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, arguments_, { env, stdio: 'inherit' })
    const end = () => passOn(signal.reason, child)
    signal.addEventListener('abort', end)
    child.once('error', (error) => reject(new ProgramError(name, error)))
    child.once('exit', (code, killedBy) => {
      signal.removeEventListener('abort', end)
      resolve(killedBy ?? code ?? 0)
    })
    if (signal.aborted) end()
  })
}

function passOn({ signal }: Interruption, child: ChildProcess): void {
  // A terminal sends Ctrl-C to both processes.
  if (signal === 'SIGINT' && process.stdin.isTTY) return
  child.kill(signal)
}

/** The code that a shell has for a program that a signal has ended. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
