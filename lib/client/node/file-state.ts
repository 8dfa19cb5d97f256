import { type FileHandle, open, readlink, realpath, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse, text } from '../../base/schema.js'
import { type StateStorage, unusable } from '../state.js'
import { withFileLock } from './file-lock.js'
import { type FileOwner, replaceFile, syncFolder, tryToReplace } from './replace-file.js'

/** The permissions that let others read or change a file. */
const OTHERS = 0o077
const MOST_BYTES = 1_048_576

/**
 * Keeps the state of a device in a file that only its owner can read (mode 0600). A crash leaves the old or the new state,
 * never half of one: the text is written to another file, which then replaces the first one. Several processes can use one
 * file. While it is written, `<path>.lock` and `<path>.tmp` exist next to it.
 *
 * @param path the file, or a symbolic link to it; its folder must exist
 * @throws ConfigurationError if the path is no text, or empty
 * @example
 * const state = fileState('/var/lib/agent/identity.json')
 */
export function fileState(path: string): StateStorage {
  parse(text('the path of a file', /./), path, 'fileState')
  const locked = async <T>(work: (file: string) => Promise<T>) => {
    const file = await behindLinks(resolve(path))
    return withFileLock(`${file}.lock`, () => work(file))
  }
  return {
    location: resolve(path),
    load: () => loadFile(resolve(path)),
    save: (text, previous) =>
      locked(async (file) => {
        const found = await readFile(file)
        if (found?.text !== previous) return false
        // Root may renew the binding of an agent, which must still be able to read the file.
        await replaceFile(file, text, found?.owner)
        return true
      }),
    trySave: () => locked(tryToReplace),
    clear: (previous) =>
      locked(async (file) => {
        if (previous !== undefined && (await loadFile(file)) !== previous) return false
        await rm(file, { force: true })
        await syncFolder(file)
        return true
      }),
  }
}

/** The file that a link leads to, even if it does not exist yet. To replace the link itself would lose the file. */
async function behindLinks(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const target = await readlink(path).catch(() => undefined)
    return target === undefined ? path : behindLinks(resolve(dirname(path), target))
  }
}

/**
 * Reads a file that only its owner can use. `undefined` if there is none.
 *
 * @throws ProvisionError `state_unusable`
 */
export async function loadFile(file: string): Promise<string | undefined> {
  return (await readFile(file))?.text
}

/** Returns the owner of the file that it has read, even if another file takes its place in the meantime. */
async function readFile(file: string): Promise<{ text: string; owner: FileOwner } | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { mode, size, uid, gid } = await handle.stat()
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
      throw unusable(`others can use it (mode ${(mode & 0o777).toString(8)}, expected 600)`, {
        location: file,
      })
    if (size > MOST_BYTES) throw unusable(`it is too large (${size} bytes)`, { location: file })
    return { text: await handle.readFile('utf8'), owner: { uid, gid } }
  } finally {
    await handle.close()
  }
}
