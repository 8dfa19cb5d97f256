import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file that only its owner can read (mode 0600). A crash leaves the old or the new text, never half of one.
 * While it writes, `<path>.tmp` exists: let no two processes write one file at a time.
 *
 * @param owner the user that gets the file if root writes it
 */
export async function replaceFile(file: string, text: string, owner?: FileOwner): Promise<void> {
  await withNext(file, { text, owner }, (next) => rename(next, file))
  await syncFolder(file)
}

export type FileOwner = Readonly<Record<'uid' | 'gid', number>>

/** A result is shorter. */
const TRIAL_BYTES = 16_384

/** Does all that `replaceFile()` does, but for the last step. So a full disk is found before the text exists. */
export async function tryToReplace(file: string): Promise<void> {
  await withNext(file, { text: ' '.repeat(TRIAL_BYTES) }, (next) => rm(next))
}

/** Writes a text to `<path>.tmp`, and finishes with this file. If that fails, it removes the file. */
async function withNext(
  file: string,
  { text, owner }: { readonly text: string; readonly owner?: FileOwner | undefined },
  finish: (next: string) => Promise<void>,
): Promise<void> {
  const next = `${file}.tmp`
  // A crash may have left it, with other permissions.
  await rm(next, { force: true })
  try {
    const handle = await open(next, 'wx', 0o600)
    try {
      if (owner !== undefined && process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid)
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await finish(next)
  } catch (error) {
    await rm(next, { force: true }).catch(() => undefined)
    throw error
  }
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
