/** Where the reader presses Enter. */
interface Input extends NodeJS.EventEmitter {
  readonly isTTY?: boolean
  resume(): unknown
  pause(): unknown
}

interface Output {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Prints a prompt, and resolves when the reader has pressed Enter. */
export type Pause = (prompt: string) => Promise<void>

/** Whether a person reads the output and can answer. */
export function isInteractive(input: Pick<Input, 'isTTY'>, output: Pick<Output, 'isTTY'>): boolean {
  return input.isTTY === true && output.isTTY === true
}

/** Waits only if a person reads the output and can answer. At the end of the input, it stops to wait. */
export function pauses(input: Input, output: Output): Pause {
  let waits = isInteractive(input, output)
  return async (prompt) => {
    if (!waits) return
    output.write(`\n  ${prompt}`)
    const hasEnded = await new Promise<boolean>((resolve) => {
      const onData = () => done(false)
      const onEnd = () => done(true)
      function done(ended: boolean): void {
        input.off('data', onData).off('end', onEnd)
        resolve(ended)
      }
      input.on('data', onData).on('end', onEnd).resume()
    })
    input.pause()
    if (hasEnded) {
      waits = false
      output.write('\n')
    }
  }
}
