/**
 * Brings a checkout to where it can run: dependencies as locked, `dist` as built from `lib`. Says nothing and
 * changes nothing when that is so already. Uses Node alone, since there may be no node_modules yet.
 */
import { spawnSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MINIMUM_NODE = 20
const root = fileURLToPath(new URL('..', import.meta.url))

/** Does what is missing, in order; exits with a line that says what is wrong when it cannot. */
export function setUp() {
  const major = Number.parseInt(process.versions.node, 10)
  if (major < MINIMUM_NODE) {
    stop(`Node ${MINIMUM_NODE} or newer is needed; this is Node ${process.versions.node}.`)
  }
  if (!dependenciesAreInstalled()) {
    // npm ci would empty the folder that it leads to, which others use.
    if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
      stop(
        'node_modules is a link to a folder that does not hold what package-lock.json says; update that one.',
      )
    say('installing the dependencies (npm ci)')
    const arguments_ = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
    // On Windows npm is a batch file, which only a shell can start.
    run('npm', arguments_, { shell: process.platform === 'win32', failure: 'npm ci failed' })
  }
  if (!distIsCurrent()) {
    say('building dist from lib')
    run(process.execPath, [join(root, 'scripts', 'build.mjs')], { failure: 'the build failed' })
  }
}

/** Whether node_modules holds what package-lock.json says, by the record that npm keeps of what it installed. */
function dependenciesAreInstalled() {
  const locked = packages('package-lock.json')
  const installed = packages(join('node_modules', '.package-lock.json'))
  if (locked === undefined) stop('package-lock.json is missing or cannot be read.')
  if (installed === undefined) return false
  const isAsLocked = ([path, entry]) =>
    locked[path]?.version === entry.version && locked[path]?.integrity === entry.integrity
  // Those for other platforms are optional and are not installed.
  const isThere = ([path, entry]) => path === '' || entry.optional === true || installed[path] !== undefined
  return Object.entries(installed).every(isAsLocked) && Object.entries(locked).every(isThere)
}

function packages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages
  } catch {
    return undefined
  }
}

/** `dist/index.mjs` is the last file that a build writes. */
function distIsCurrent() {
  const built = statSync(join(root, 'dist', 'index.mjs'), { throwIfNoEntry: false })
  if (built === undefined) return false
  const sources = [
    'lib',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    join('scripts', 'build.mjs'),
  ]
  return sources.every((source) => newestChange(join(root, source)) <= built.mtimeMs)
}

/** Of a folder or of anything in it: a removed file changes the time of its folder. */
function newestChange(path) {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))))
}

function run(command, arguments_, { failure, shell = false }) {
  // What they print goes to stderr, so that stdout is the program's alone.
  const { status, error } = spawnSync(command, arguments_, { cwd: root, shell, stdio: ['ignore', 2, 2] })
  if (status !== 0) stop(`${failure}${error ? `: ${error.message}` : '; its own words are above.'}`)
}

function say(line) {
  console.error(`setup: ${line}`)
}

function stop(line) {
  say(line)
  process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp()
