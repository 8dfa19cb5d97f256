import { UsageError } from './arguments.js'
import { Interruption } from './command.js'

const CONTROL_C = '\u0003'
const ENDS = ['\r', '\n', '\u0004']
const ERASERS = ['\u007f', '\b']

/**
 * Asks for a secret on the terminal, and does not show it.
 *
 * @param what what is asked for, such as `Secret of the client ci`
 * @throws UsageError if there is no terminal; Interruption on Ctrl+C; the reason of the signal
 */
export async function promptSecret(what: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY)
    throw new UsageError(
      '--client-id: expected --secret-file or --secret-env with it, or a terminal; got none',
    )
  stderr.write(`${what}: `)
  stdin.setRawMode(true).setEncoding('utf8').resume()
  try {
    return await readLine(stdin, signal)
  } finally {
    stdin.setRawMode(false).pause()
    stderr.write('\n')
  }
}

/** Reads characters up to the end of a line. */
function readLine(stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  let typed = ''
  return new Promise((resolve, reject) => {
    const stop = () => {
      stdin.off('data', read)
      signal.removeEventListener('abort', abort)
    }
    const abort = () => {
      stop()
      reject(signal.reason)
    }
    const read = (text: string) => {
      for (const character of text) {
        // In raw mode, a terminal sends the character and no signal.
        if (character === CONTROL_C) {
          stop()
          return reject(new Interruption('SIGINT'))
        }
        if (ENDS.includes(character)) {
          stop()
          return resolve(typed)
        }
        typed = ERASERS.includes(character) ? typed.slice(0, -1) : typed + character
      }
    }
    signal.addEventListener('abort', abort, { once: true })
    stdin.on('data', read)
  })
}
