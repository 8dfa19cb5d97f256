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
  const restore = [
    ...METHODS.map((name) => replace(console, name, (values) => texts.push(format(...values)))),
    ...STREAMS.map((name) =>
      replace(process[name], 'write', ([chunk]) =>
        texts.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('latin1')),
      ),
    ),
  ]
  return {
    release() {
      for (const each of restore) each()
      return texts
    },
  }
}

/** Lets a function note its arguments before it runs. Returns the function that ends this. */
function replace(owner: object, name: string, note: (values: readonly unknown[]) => unknown): () => void {
  const original: unknown = Reflect.get(owner, name)
  if (typeof original !== 'function') return () => undefined
  const noting = function (this: unknown, ...values: unknown[]): unknown {
    note(values)
    return Reflect.apply(original, this, values)
  }
  Reflect.set(owner, name, noting)
  return () => {
    // Another capture may have replaced the function after this one.
    if (Reflect.get(owner, name) === noting) Reflect.set(owner, name, original)
  }
}
