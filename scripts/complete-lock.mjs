/**
 * Adds the platform packages to package-lock.json that npm left out. Run `npm run lock` after each change of the
 * dependencies.
 *
 * `npm install` omits an optional dependency that its registry does not have; some mirrors have the packages of one
 * platform only. Then `npm ci` rejects the lock file on every platform. The parent package pins the version, and the
 * name contains the platform, so the entry can be completed. Its integrity is unknown and stays out.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const OPERATING_SYSTEMS = new Set([
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
])
const LIBC = new Map([
  ['gnu', 'glibc'],
  ['glibc', 'glibc'],
  ['musl', 'musl'],
])

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const added = []

for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (isLocked(path, name)) continue
    lock.packages[`node_modules/${name}`] = platformEntry(name, version, parent)
    added.push(`${name}@${version}`)
  }
}

if (added.length > 0) {
  const { '': root, ...others } = lock.packages
  const sorted = Object.entries(others).sort(([a], [b]) => a.localeCompare(b, 'en'))
  lock.packages = { '': root, ...Object.fromEntries(sorted) }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
console.log(added.length > 0 ? `lock: added ${added.length} platform packages` : 'lock: complete')

/** Whether the lock file has a package in a place where Node looks for it from `path`. */
function isLocked(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true
    if (at === '') return false
  }
}

function platformEntry(name, version, parent) {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-')
  const at = words.findIndex((word) => OPERATING_SYSTEMS.has(word))
  if (at === -1 || words[at + 1] === undefined || !/^\d+\.\d+\.\d+/.test(version)) {
    throw new Error(`lock: cannot find the platform of ${name}@${version}; add it by hand`)
  }
  const [os, cpu, ...abi] = words.slice(at)
  const libc = os === 'linux' ? abi.map((word) => LIBC.get(word)).find(Boolean) : undefined
  return {
    version,
    cpu: [cpu],
    ...(parent.dev && { dev: true }),
    ...(libc && { libc: [libc] }),
    optional: true,
    os: [os],
  }
}
