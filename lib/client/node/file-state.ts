import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type StateStorage, unusable } from '../state.js'
import { withFileLock } from './file-lock.js'

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
        await replace(file, text)
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

async function replace(file: string, text: string): Promise<void> {
  const next = `${file}.tmp`
  // A crash may have left it, with other permissions.
  await rm(next, { force: true })
  try {
    const handle = await open(next, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(next, file)
  } catch (error) {
    await rm(next, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(file)
}

/** Makes the new name of a file durable. Windows cannot open folders, and needs no such call. */
async function syncFolder(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
