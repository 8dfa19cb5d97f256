import { mkdir, readdir, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { systemCode } from '../base/system-code.js'
import { type OptionTable, readChoice, UsageError } from './arguments.js'
import { type Command, EXIT, printResult } from './command.js'
import { clientSecret, signingKey } from './keygen.js'
import { writeNewFiles } from './new-files.js'
import { packageVersion } from './package.js'
import { projectFiles } from './project.js'
import { OutputError } from './result.js'

const OPTIONS: OptionTable = {
  language: { value: 'LANGUAGE', about: 'ts (default) or js' },
  store: { value: 'STORE', about: 'memory (default) or redis' },
}

const NOTES = `FOLDER must be empty, or not exist. The command writes a small complete app: the
server, a test, a security policy for the command review, and a README. The
folder secrets/ gets a new signing key and a new client secret. Git ignores this
folder.

Then run npm install, npm test and npm start in FOLDER.

Exit codes: 0 done; 2 wrong usage, or the folder is not empty; 75 a file cannot
be written.`

/** Writes a small app. */
export const INIT: Command = {
  operand: 'FOLDER',
  options: OPTIONS,
  notes: NOTES,
  async run({ options, operand: folder = '' }, surroundings) {
    const language = readChoice('language', options.language ?? 'ts', ['ts', 'js'])
    const store = readChoice('store', options.store ?? 'memory', ['memory', 'redis'])
    const root = resolve(folder)
    await requireEmpty(root, folder)
    const files = projectFiles({ name: nameOf(root), language, store, version: packageVersion() })
    const key = await signingKey({})
    const { secret, facts } = clientSecret({})
    const secrets = {
      'secrets/signing-key.json': key.secret,
      'secrets/client-secret': secret,
      'secrets/client-secret-hash': `${facts.secretHash}\n`,
    }
    const toWrite = [
      ...Object.entries(files).map(([path, text]) => ({ path: join(root, path), text })),
      ...Object.entries(secrets).map(([path, text]) => ({ path: join(root, path), text, isSecret: true })),
    ]
    await inNewFolders(root, folder, () => writeNewFiles(toWrite))
    const next = `Follow ${join(folder, 'README.md')}`
    const sentences = [
      `Wrote a small app into ${folder}. Start it in this folder with npm install and npm start.`,
      `${join(folder, 'README.md')} has the next steps.`,
    ]
    await printResult(sentences, { folder, language, store, files: toWrite.length, next }, surroundings)
    return EXIT.done
  },
}

async function requireEmpty(root: string, shown: string): Promise<void> {
  try {
    const names = await readdir(root)
    if (names.length === 0) return
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT') return
    throw new UsageError(`${shown} is not a folder that can be read (${code ?? 'unknown error'})`)
  }
  throw notEmpty(shown)
}

function notEmpty(shown: string): UsageError {
  return new UsageError(`${shown} is not empty, and this command overwrites nothing; name another folder`)
}

/**
 * Makes the folders, and fills them. If that fails, it removes only folders that it has made and that are empty, because
 * another call could work in the same place.
 */
async function inNewFolders(root: string, shown: string, fill: () => Promise<void>): Promise<void> {
  const made: string[] = []
  try {
    if (await isNewFolder(root, shown)) made.unshift(root)
    for (const name of ['src', 'test', 'secrets']) {
      const path = join(root, name)
      if (!(await isNewFolder(path, shown, name === 'secrets' ? 0o700 : 0o755))) throw notEmpty(shown)
      made.unshift(path)
    }
    await fill()
  } catch (error) {
    for (const path of made) await rmdir(path).catch(() => undefined)
    throw error
  }
}

/** Makes a folder, and answers `false` if it exists already. */
async function isNewFolder(path: string, shown: string, mode = 0o755): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await mkdir(path, mode)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw new OutputError(shown, error)
  }
}

/** A valid name for package.json. */
function nameOf(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name.slice(0, 100) || 'provisioning-server'
}
