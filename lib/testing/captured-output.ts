import { format } from 'node:util'

/**
 * What a test has printed since `captureOutput()`.
 *
 * @example
 * const output: CapturedOutput = captureOutput()
 * console.log('started')
 * expectNoKeyIn(output.release())
 */
export interface CapturedOutput {
  /** Ends the capture. Answers with all texts, in the order in which they were printed. */
  release(): readonly string[]
}

const METHODS = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const
const STREAMS = ['stdout', 'stderr'] as const

/**
 * Captures what is printed with `console`, `process.stdout` and `process.stderr`, and still prints it. It does not see what a
 * logger writes into a file or in another thread: give such logs to `expectNoKeyIn()` yourself.
 *
 * @example
 * async function withoutSecrets(kit: TestKit, work: () => Promise<void>) {
 *   const output = captureOutput()
 *   await work().finally(() => kit.expectNoKeyIn(output.release()))
 * }
 */
export function captureOutput(): CapturedOutput {
  const texts: string[] = []
  const end = [
    ...METHODS.map((name) => listen(console, name, (values) => texts.push(format(...values)))),
    ...STREAMS.map((name) =>
      listen(process[name], 'write', ([chunk]) =>
        texts.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('latin1')),
      ),
    ),
  ]
  return {
    release() {
      for (const each of end) each()
      return texts
    },
  }
}

type Listener = (values: readonly unknown[]) => unknown

/** A method that calls listeners before it runs. Captures that overlap share it, so the last one can restore the original. */
interface Hook {
  readonly original: object
  readonly listeners: Set<Listener>
}

/** The name of the hook in a replaced method. It is the same for all copies of this library in a process. */
const HOOK = Symbol.for('express-provisioning-keys.captureOutput')

/** Calls a listener with the arguments of each call of a method. Returns the function that ends this. */
function listen(owner: object, name: string, listener: Listener): () => void {
  const current: unknown = Reflect.get(owner, name)
  if (typeof current !== 'function') return () => undefined
  const { original, listeners } = hookOf(current) ?? install(owner, name, current)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    // The app may have replaced the method too, after this capture.
    const isInstalled = hookOf(Reflect.get(owner, name))?.listeners === listeners
    if (isInstalled && listeners.size === 0) Reflect.set(owner, name, original)
  }
}

function hookOf(method: unknown): Hook | undefined {
  return typeof method === 'function' ? (Reflect.get(method, HOOK) as Hook | undefined) : undefined
}

function install(owner: object, name: string, original: object): Hook {
  const listeners = new Set<Listener>()
  const method = function (this: unknown, ...values: unknown[]): unknown {
    for (const listener of listeners) listener(values)
    return Reflect.apply(original as () => unknown, this, values)
  }
  const hook = { original, listeners }
  // Not enumerable: a copy of the members must not make another function the hook.
  Object.defineProperty(method, HOOK, { value: hook })
  Reflect.set(owner, name, method)
  return hook
}
