import { open } from 'node:fs/promises'
import { limitedText } from '../../base/limited-text.js'

/** The longest secret that is read, in bytes. */
const MOST_BYTES = 65_536

/**
 * Reads a secret from a file, such as a credential of systemd or a secret of Kubernetes. Spaces and line ends around the
 * secret are ignored.
 *
 * @example
 * const key = secretFromFile('/run/credentials/agent/provisioning-key')
 */
export function secretFromFile(path: string): () => Promise<string> {
  return async function readFile() {
    const handle = await open(path, 'r')
    try {
      return await limitedText(path, handle.createReadStream({ autoClose: false }), MOST_BYTES)
    } finally {
      await handle.close()
    }
  }
}

/**
 * Reads a secret from an environment variable. Other processes of the same user can read it too, so a file is better.
 *
 * @example
 * const key = secretFromEnvironment('PROVISIONING_KEY')
 */
export function secretFromEnvironment(name: string): () => string {
  return function readEnvironment() {
    const value = process.env[name]
    if (value === undefined || value === '') throw new Error(`the environment variable ${name} is not set`)
    return value
  }
}

/**
 * Reads a secret from the standard input, up to its end. It is never read from the arguments of the program, because every
 * user of the machine can see those.
 *
 * @example
 * const key = secretFromStdin()
 */
export function secretFromStdin(): () => Promise<string> {
  return async function readStdin() {
    if (process.stdin.isTTY) throw new Error('the standard input is a terminal; pipe the secret into it')
    return limitedText('the standard input', process.stdin, MOST_BYTES)
  }
}
