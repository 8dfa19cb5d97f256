import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isObject } from '../base/object.js'
import { UsageError } from './arguments.js'
import type { LoadedConfiguration } from './load-configuration.js'

/**
 * Loads the module of a configuration in another process, and answers its description. It runs the module as Node does,
 * so it needs the same environment variables. The process ends as soon as the module is loaded.
 *
 * @throws UsageError if the module fails, hangs or exports nothing
 */
export async function loadConfiguration(
  module: string,
  { timeoutSeconds, signal }: { readonly timeoutSeconds: number; readonly signal: AbortSignal },
) {
  const file = resolve(module)
  if (!existsSync(file)) throw new UsageError(`cannot read ${module} (ENOENT)`)
  const mark = randomUUID()
  const program = [join(__dirname, 'load-configuration.js'), file, mark]
  const child = spawn(process.execPath, [...loaderOf(file), ...program], {
    // The module may print anything, also secrets.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: process.platform !== 'win32',
  })
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000)
  try {
    const loaded = await messageOf(child, { mark, signal: AbortSignal.any([signal, timeout]) })
    if ('fault' in loaded) throw new UsageError(`${module}: ${loaded.fault}`)
    return loaded.description
  } catch (error) {
    if (!timeout.aborted || signal.aborted) throw error
    throw new UsageError(
      `${module}: it did not load within ${timeoutSeconds} seconds; does it wait for a server?`,
    )
  } finally {
    await endAll(child)
  }
}

/** Node 20 cannot load TypeScript, so the project needs tsx. */
function loaderOf(file: string): string[] {
  const isTypescript = ['.ts', '.mts', '.cts'].includes(extname(file))
  if (!isTypescript || Reflect.get(process.features, 'typescript')) return []
  try {
    return ['--import', pathToFileURL(createRequire(file).resolve('tsx')).href]
  } catch {
    throw new UsageError(
      `this Node cannot load TypeScript: install tsx in the project, or name a JavaScript file`,
    )
  }
}

function messageOf(
  child: ChildProcess,
  { mark, signal }: { readonly mark: string; readonly signal: AbortSignal },
): Promise<LoadedConfiguration> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    // The module can send messages of its own, but it does not know the mark.
    child.on('message', (message) => {
      if (isObject(message) && message.mark === mark) resolve(message.loaded as LoadedConfiguration)
    })
    child.once('error', reject)
    // This comes after all messages. A process that crashes sends none.
    child.once('disconnect', () => resolve({ fault: 'its process ended without a result' }))
  })
}

/** Ends the process, and those that the module has started. */
async function endAll(child: ChildProcess): Promise<void> {
  const { pid } = child
  if (pid === undefined) return
  const hasEnded = child.exitCode !== null || child.signalCode !== null
  const ended = hasEnded ? undefined : once(child, 'exit')
  try {
    // The group exists as long as one of its processes runs.
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-pid, 'SIGKILL')
  } catch {
    // All of them have ended already.
  }
  await ended
}
