/**
 * Prepares a checkout: installs the dependencies that package-lock.json names, and builds `dist` from `lib`. If nothing
 * is missing, this prints and changes nothing. It imports only Node's modules, because node_modules may be missing.
 */
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT, runStep, stop } from './step.mjs'

const MINIMUM_NODE = 20

export function setUp() {
  const major = Number.parseInt(process.versions.node, 10)
  if (major < MINIMUM_NODE) stop(`Node ${MINIMUM_NODE} or newer is needed, but this is ${process.version}`)
  if (!dependenciesAreInstalled()) installDependencies()
  if (!distIsCurrent()) {
    const build = [process.execPath, join(ROOT, 'scripts', 'build.mjs')]
    runStep('building dist from lib', build)
  }
}

/** Compares package-lock.json with npm's record of installed packages. */
function dependenciesAreInstalled() {
  const locked = packagesIn('package-lock.json')
  const installed = packagesIn(join('node_modules', '.package-lock.json'))
  if (locked === undefined) stop('package-lock.json is missing or invalid')
  if (installed === undefined) return false
  const isAsLocked = ([path, entry]) =>
    locked[path]?.version === entry.version && locked[path]?.integrity === entry.integrity
  // Optional packages for other platforms are not installed.
  const isThere = ([path, entry]) => path === '' || entry.optional === true || installed[path] !== undefined
  return Object.entries(installed).every(isAsLocked) && Object.entries(locked).every(isThere)
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), 'utf8')).packages
  } catch {
    return undefined
  }
}

/** If `npm ci` fails, it removes the packages that it has installed. */
function installDependencies() {
  // npm ci would empty the folder that the link leads to, which other checkouts use.
  if (lstatSync(join(ROOT, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
    stop('node_modules is a link to a folder that does not match package-lock.json; update that folder first')
  const retries = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000']
  const npm = ['npm', 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error', ...retries]
  runStep('installing the dependencies (npm ci)', npm, {
    // On Windows npm is a batch file, which only a shell can start.
    shell: process.platform === 'win32',
    reason: /^npm error (?!code |syscall |errno |path |dest )(?:\w*Error: )?(.+)/m,
  })
}

/** A build writes `dist/index.mjs` last. */
function distIsCurrent() {
  const built = statSync(join(ROOT, 'dist', 'index.mjs'), { throwIfNoEntry: false })
  if (built === undefined) return false
  const sources = [
    'lib',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    join('scripts', 'build.mjs'),
  ]
  return sources.every((source) => newestChange(join(ROOT, source)) <= built.mtimeMs)
}

/** When a file last changed, or any file in a folder. Removing a file changes the time of its folder. */
function newestChange(path) {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp()
