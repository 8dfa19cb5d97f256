import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { type Ending, type Interruption, SIGNALS } from './command.js'

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
 * Runs a program with the standard streams of this process, and passes on each signal that would end this process. So this
 * process never ends before the program, whatever the program does with a signal.
 *
 * @param signal an earlier signal, which the program did not get
 * @throws ProgramError
 */
export function runProgram(
  [name = '', ...arguments_]: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = start(name, arguments_, env)
    const pass = (received: NodeJS.Signals) => passOn(received, child)
    for (const one of SIGNALS) process.on(one, pass)
    const stop = () => {
      for (const one of SIGNALS) process.off(one, pass)
    }
    child.once('error', (error) => {
      stop()
      reject(new ProgramError(name, error))
    })
    child.once('exit', (code, killedBy) => {
      stop()
      resolve(killedBy ?? code ?? 0)
    })
    if (signal.aborted) pass((signal.reason as Interruption).signal)
  })
}

/** Some faults make `spawn()` throw. Its message can quote a value of the environment, such as a secret. */
function start(name: string, arguments_: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  try {
    return spawn(name, arguments_, { env, stdio: 'inherit' })
  } catch (cause) {
    throw new ProgramError(name, cause as NodeJS.ErrnoException)
  }
}

function passOn(signal: NodeJS.Signals, child: ChildProcess): void {
  // A terminal sends Ctrl-C to both processes.
  if (signal === 'SIGINT' && process.stdin.isTTY) return
  child.kill(signal)
}

/** The code that a shell has for a program that a signal has ended. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
