/** Prints each step of the set-up as one line on stderr, so that stdout belongs to the program that follows. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Runs a command in the root of the checkout. If it fails, prints the reason and exits with 1.
 *
 * @param options.reason finds the reason in the output of the command, as its first group; default: the whole output
 */
export function runStep(title, [command, ...arguments_], { reason, ...options } = {}) {
  process.stderr.write(`setup: ${title} ... `)
  const { status, error, stdout, stderr } = spawnSync(command, arguments_, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    ...options,
  })
  if (status === 0) return console.error('done')
  const output = `${stdout ?? ''}${stderr ?? ''}`.trim()
  console.error(`failed: ${error?.message ?? reason?.exec(output)?.[1] ?? output}`)
  process.exit(1)
}

/** Prints why the set-up cannot continue, and exits with 1. */
export function stop(reason) {
  console.error(`setup: ${reason}`)
  process.exit(1)
}
