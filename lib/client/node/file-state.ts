import { type FileHandle, open, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type StateStorage, unusable } from '../state.js'
import { withFileLock } from './file-lock.js'
import { replaceFile, syncFolder } from './replace-file.js'

/** The permissions that let others read or change a file. */
const OTHERS = 0o077
const MOST_BYTES = 1_048_576

/**
 * Keeps the state of a device in a file that only its owner can read (mode 0600). A crash leaves the old or the new state,
 * never half of one: the text is written to another file, which then replaces the first one. Several processes can use one
 * file. While it is written, `<path>.lock` and `<path>.tmp` exist next to it.
 *
 * @param path the file; its folder must exist
 * @example
 * const state = fileState('/var/lib/agent/identity.json')
 */
export function fileState(path: string): StateStorage {
  const file = resolve(path)
  const locked = <T>(work: () => Promise<T>) => withFileLock(`${file}.lock`, work)
  return {
    load: () => load(file),
    save: (text, previous) =>
      locked(async () => {
        if ((await load(file)) !== previous) return false
        await replaceFile(file, text)
        return true
      }),
    clear: () =>
      locked(async () => {
        await rm(file, { force: true })
        await syncFolder(file)
      }),
  }
}

async function load(file: string): Promise<string | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { mode, size } = await handle.stat()
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
      throw unusable(`others can use the file ${file} (mode ${(mode & 0o777).toString(8)}, expected 600)`)
    if (size > MOST_BYTES) throw unusable(`the file ${file} is too large (${size} bytes)`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}
