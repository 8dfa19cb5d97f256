import { constants, existsSync } from 'node:fs'
import { access, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Given, UsageError } from './arguments.js'
import { OutputError } from './result.js'
import { isSameFile } from './same-file.js'

/**
 * Checks the file of a report before the work begins: it can be written, and is no other file of the command line.
 *
 * @throws UsageError
 * @throws OutputError
 */
export async function requireReportFile(
  name: 'junit' | 'sarif',
  { options, operand = '' }: Given,
): Promise<void> {
  const { [name]: file, ...others } = options
  if (file === undefined) return
  if ([operand, ...Object.values(others)].some((other = '') => other !== '' && isSameFile(file, other)))
    throw new UsageError(`--${name}: expected a file of its own, got one that is named twice`)
  const path = resolve(file)
  await access(existsSync(path) ? path : dirname(path), constants.W_OK).catch((cause) => {
    throw new OutputError(file, cause)
  })
}

/**
 * Writes a report, which contains no secrets, so that the programs that read it can have another owner.
 *
 * @throws OutputError
 */
export async function writeReport(file: string, text: string): Promise<void> {
  await writeFile(resolve(file), text, { mode: 0o644 }).catch((cause) => {
    throw new OutputError(file, cause)
  })
}
