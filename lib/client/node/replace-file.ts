import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file that only its owner can read (mode 0600). A crash leaves the old or the new text, never half of one.
 * While it writes, `<path>.tmp` exists: let no two processes write one file at a time.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
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
export async function syncFolder(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
