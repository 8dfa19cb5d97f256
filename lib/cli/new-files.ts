import { open, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { systemCode } from '../base/system-code.js'
import { UsageError } from './arguments.js'
import { OutputError } from './result.js'

/** A file to write. */
export interface NewFile {
  readonly path: string
  readonly text: string
  /** Whether only its owner may read it. Default `false`. */
  readonly isSecret?: boolean
}

/**
 * Writes files that do not exist yet. It writes all of them or none, and never replaces a file.
 *
 * @throws UsageError if one of them exists
 * @throws OutputError if one of them cannot be written
 */
export async function writeNewFiles(files: readonly NewFile[]): Promise<void> {
  const written: string[] = []
  try {
    for (const file of files) await write(file, () => written.push(resolve(file.path)))
  } catch (error) {
    for (const path of written) await rm(path, { force: true })
    throw error
  }
}

/** O_EXCL also refuses a symbolic link, so nobody can redirect a secret to another file. */
async function write({ path, text, isSecret = false }: NewFile, onCreated: () => void): Promise<void> {
  try {
    const handle = await open(resolve(path), 'wx', isSecret ? 0o600 : 0o644)
    onCreated()
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw new OutputError(path, error)
    throw new UsageError(`${path} exists already, and this command overwrites nothing; name another file`)
  }
}
