import { existsSync, readFileSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { runFolder } from './run-folder'

const POLL_MS = 50

/** Does slow work once, for all workers of a run. The first worker that asks does the work. The others wait for it. */
export async function oncePerRun<T>(
  name: string,
  work: () => T | Promise<T>,
  folder: string = runFolder(),
): Promise<T> {
  const [owner, result] = [join(folder, `${name}.owner`), join(folder, `${name}.json`)]
  if (becomesOwner(owner)) await save(result, work)
  while (!existsSync(result)) {
    // A worker that crashes fails the run anyway. This reports it without a timeout.
    if (!isRunning(owner) && !existsSync(result)) throw new Error(`a worker ended before "${name}" was done`)
    await setTimeout(POLL_MS)
  }
  const { value, error } = JSON.parse(readFileSync(result, 'utf8'))
  if (error !== undefined) throw new Error(error)
  return value
}

/** A link is made with its content in one step, so nobody reads a file that has no process id yet. */
function becomesOwner(link: string): boolean {
  try {
    symlinkSync(`${process.pid}`, link)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function isRunning(link: string): boolean {
  try {
    return process.kill(Number(readlinkSync(link)), 0)
  } catch {
    return false
  }
}

async function save(file: string, work: () => unknown): Promise<void> {
  const outcome = await Promise.resolve()
    .then(work)
    .then(
      (value) => ({ value }),
      (error: Error) => ({ error: error.message }),
    )
  writeFileSync(`${file}.new`, JSON.stringify(outcome))
  renameSync(`${file}.new`, file)
}
