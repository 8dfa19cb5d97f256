import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** What a program printed, and the code it ended with. */
export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The options with which Node runs the TypeScript sources of this repository. */
export const TYPESCRIPT: readonly string[] = ['-r', join(__dirname, '../../scripts/typescript.cjs')]

const MINUTE = 60_000

/**
 * Runs a program to its end and returns what it printed. A program that has not ended after a minute is killed and
 * started again, once. Node 20 can hang in its own exit, when all work is done:
 * https://github.com/nodejs/node/issues/54918.
 */
export function runProgram(
  command: string,
  arguments_: readonly string[],
  options: Pick<SpawnSyncOptions, 'cwd' | 'env'> = {},
): Ended {
  const once = () =>
    spawnSync(command, arguments_, { ...options, encoding: 'utf8', timeout: MINUTE, killSignal: 'SIGKILL' })
  let ended = once()
  if (isTimeout(ended.error)) ended = once()
  if (ended.error) throw ended.error
  return { status: ended.status, stdout: ended.stdout, stderr: ended.stderr }
}

function isTimeout(error: Error | undefined): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT'
}
