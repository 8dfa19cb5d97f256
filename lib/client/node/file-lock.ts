import { randomUUID } from 'node:crypto'
import { readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** A lock protects one write, which takes milliseconds. */
const STALE_MILLISECONDS = 10_000
/** A process writes its name into its lock as soon as it has made it. */
const NAMELESS_MILLISECONDS = 1_000
const PATIENCE_MILLISECONDS = 15_000
const PAUSE_MILLISECONDS = 20

/**
 * Runs work while no other process has the lock file. The lock of a process that has died is removed.
 *
 * @throws Error if a living process keeps the lock
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const name = `${await processSpace()} ${process.pid} ${randomUUID()}`
  const end = performance.now() + PATIENCE_MILLISECONDS
  while (!(await tryLock(path, name))) {
    if (performance.now() > end) throw new Error(`another process keeps the lock ${path}`)
    if (!(await removeStale(path))) await sleep(PAUSE_MILLISECONDS)
  }
  try {
    return await work()
  } finally {
    if ((await readName(path)) === name) await rm(path, { force: true })
  }
}

async function tryLock(path: string, name: string): Promise<boolean> {
  try {
    await writeFile(path, name, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    // A full disk leaves a lock without a name.
    if ((await readName(path)) === '') await rm(path, { force: true })
    throw error
  }
}

/** Removes the lock if its process is dead. Two processes can find this at the same time. */
async function removeStale(path: string): Promise<boolean> {
  const name = await readName(path)
  if (name === undefined || !(await isStale(path, name))) return false
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return false
  }
  // Another process may have removed the stale lock first, and made its own.
  if ((await readName(aside)) === name) await rm(aside, { force: true })
  else await rename(aside, path)
  return true
}

async function isStale(path: string, name: string): Promise<boolean> {
  const [space, pid] = name.split(' ')
  if (name !== '' && space === (await processSpace()) && !isAlive(Number(pid))) return true
  const made = await stat(path).catch(() => undefined)
  // A device without a battery starts with an old time, so the lock can seem to come from the future.
  const age = made === undefined ? 0 : Math.abs(Date.now() - made.mtimeMs)
  return age > (name === '' ? NAMELESS_MILLISECONDS : STALE_MILLISECONDS)
}

/**
 * Names the processes whose ids mean the same to all of them. Containers can share the name of their host, and hosts that
 * share a disk can have the same name, but they have process ids of their own.
 */
async function processSpace(): Promise<string> {
  if (process.platform !== 'linux') return hostname()
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    return `${hostname()}/${boot.trim()}/${await readlink('/proc/self/ns/pid')}`
  } catch {
    // Nobody has this name, so only the age of a lock counts.
    return randomUUID()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // A process of another user is alive.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function readName(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
