import { mkdir, readdir, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { systemCode } from '../base/system-code.js'
import { type OptionTable, UsageError } from './arguments.js'
import { type Command, EXIT } from './command.js'
import { clientSecret, signingKey } from './keygen.js'
import { writeNewFiles } from './new-files.js'
import { projectFiles } from './project.js'
import { OutputError } from './result.js'
import { packageVersion } from './version.js'

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
be written, so try again later.`

/** Writes a small app. */
export const INIT: Command = {
  summary: 'write a small complete app into an empty folder',
  operand: 'FOLDER',
  options: OPTIONS,
  notes: NOTES,
  async run({ options, operand: folder = '' }, { print }) {
    const language = choice('language', options.language ?? 'ts', ['ts', 'js'])
    const store = choice('store', options.store ?? 'memory', ['memory', 'redis'])
    const root = resolve(folder)
    const isNew = await requireEmpty(root, folder)
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
    try {
      for (const part of ['src', 'test', 'secrets']) await makeFolder(join(root, part), folder)
      await writeNewFiles(toWrite)
    } catch (error) {
      await removeFolders(root, isNew)
      throw error
    }
    const next = `Follow ${join(folder, 'README.md')}`
    await print(`${JSON.stringify({ folder, language, store, files: toWrite.length, next })}\n`)
    return EXIT.done
  },
}

function choice<T extends string>(name: string, given: string, known: readonly T[]): T {
  const found = known.find((one) => one === given)
  if (found === undefined) throw new UsageError(`--${name}: expected ${known.join(' or ')}, got another text`)
  return found
}

/** Whether the folder does not exist yet. */
async function requireEmpty(root: string, shown: string): Promise<boolean> {
  try {
    const names = await readdir(root)
    if (names.length === 0) return false
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT') return true
    throw new UsageError(`${shown} is not a folder that can be read (${code ?? 'unknown error'})`)
  }
  throw new UsageError(`${shown} is not empty, and this command overwrites nothing; name another folder`)
}

async function makeFolder(path: string, shown: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: path.endsWith('secrets') ? 0o700 : 0o755 })
  } catch (error) {
    throw new OutputError(shown, error)
  }
}

/** Removes what a failed call has left: it was empty before. */
async function removeFolders(root: string, isNew: boolean): Promise<void> {
  const paths = isNew ? [root] : ['src', 'test', 'secrets'].map((part) => join(root, part))
  for (const path of paths) await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

/** A valid name for package.json. */
function nameOf(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name.slice(0, 100) || 'provisioning-server'
}
