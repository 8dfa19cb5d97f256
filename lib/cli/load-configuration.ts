import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { isObject } from '../base/object.js'
import { scrub } from '../base/secret.js'
import { oneLine } from '../client/failure.js'
import { type ConfigurationDescription, descriptionOf } from '../options/description.js'

/**
 * The program that loads a configuration in a process of its own: the module may start servers, hang or end the process.
 * It sends a `LoadedConfiguration` to its parent, with the mark that it got from it.
 */
export type LoadedConfiguration =
  | { readonly description: ConfigurationDescription }
  | { readonly fault: string }

const NO_EXPORT =
  'it exports no keys: export the result of provisioningKeys() or provisioningKeyVerifier() as keys, or as default'

async function main(send: Send): Promise<void> {
  const [, , file = ''] = process.argv
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error) => send({ fault: faultOf(error) }))
  endWithParent()
  // The module may call process.exit() in the middle of loading.
  process.once('exit', () => send({ fault: 'it ended the process' }))
  try {
    const loaded: unknown = await import(pathToFileURL(file).href)
    send(described(loaded))
  } catch (error) {
    send({ fault: faultOf(error) })
  }
}

/** A module in an endless loop blocks the events of its thread, so another thread looks whether the parent still runs. */
const watching = (parent: number) =>
  `setInterval(() => process.ppid === ${parent} || process.kill(-process.pid, 'SIGKILL'), 1000)`

/**
 * Ends the process, and those that the module has started, if the parent is killed. Otherwise a module that hangs would run
 * for ever.
 */
function endWithParent(): void {
  // Without the environment, the thread does not load the modules in NODE_OPTIONS. In Windows, the id of a parent stays.
  if (process.platform !== 'win32')
    new Worker(watching(process.ppid), { eval: true, execArgv: [], env: {} }).unref()
  process.once('disconnect', () => {
    if (process.platform === 'win32') process.exit(1)
    process.kill(-process.pid, 'SIGKILL')
  })
  // The listener alone must not keep the process alive: a module that waits for nothing should end.
  process.channel?.unref()
}

function described(loaded: unknown): LoadedConfiguration {
  const exported = isObject(loaded) || isNamespace(loaded) ? Object.values(loaded as object) : []
  // In a CommonJS module, the names can be only in the default export.
  const inner = exported.filter(isObject).flatMap((one) => Object.values(one))
  for (const one of [...exported, ...inner]) {
    const description = descriptionOf(one)
    if (description !== undefined) return { description }
  }
  return { fault: NO_EXPORT }
}

function isNamespace(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Module]'
}

/** The message of a module can quote its secrets. Those of this library never do. */
function faultOf(error: unknown): string {
  const isOurs = error instanceof Error && error.name === 'ConfigurationError'
  const code = isObject(error) || error instanceof Error ? Reflect.get(error as object, 'code') : undefined
  const text = scrub(oneLine(error)).replace(/\/\/[^\s/@]+@/g, '//(a secret)@')
  if (isOurs) return `its options are faulty: ${text}`
  return `it failed to load: ${typeof code === 'string' && !text.includes(code) ? `${code} ` : ''}${text}`
}

type Send = (message: LoadedConfiguration) => void

/**
 * Ends the process with the first message, whatever the module has started. The module can send messages too, so it must
 * not see the mark of ours.
 */
function sender(): Send {
  const [mark] = process.argv.splice(3)
  const post = process.send?.bind(process)
  let isSent = false
  return (loaded) => {
    if (isSent) return
    isSent = true
    process.removeAllListeners('exit')
    post?.({ mark, loaded }, undefined, undefined, () => process.exit(0))
  }
}

void main(sender())
