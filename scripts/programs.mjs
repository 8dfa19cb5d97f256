/** Provides the programs that the tests start and that npm cannot install. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runStep, stop } from './step.mjs'

const NAMED_ALIKE = { openssl: 'openssl', curl: 'curl', chromium: 'chromium' }

/** The package of each program, for each package manager. */
const PACKAGES = {
  'apt-get': { 'redis-server': 'redis-server', 'redis-cli': 'redis-tools', ...NAMED_ALIKE },
  brew: { 'redis-server': 'redis', 'redis-cli': 'redis', ...NAMED_ALIKE },
  dnf: { 'redis-server': 'redis', 'redis-cli': 'redis', ...NAMED_ALIKE },
}

/**
 * Installs missing programs with apt-get, if the user is root and the system has it. Otherwise prints a command that
 * installs them, and exits with 1.
 */
export function ensurePrograms({ isRoot = process.getuid?.() === 0 } = {}) {
  const missing = Object.keys(PACKAGES.brew).filter((program) => !isInPath(program))
  if (missing.length === 0) return
  const manager = Object.keys(PACKAGES).find(isInPath)
  if (manager === undefined) stop(`missing ${missing.join(', ')}; install this first`)
  const packages = [...new Set(missing.map((program) => PACKAGES[manager][program]))].join(' ')
  if (manager === 'apt-get' && isRoot) installWithApt(packages)
  else stop(`missing ${missing.join(', ')}; install with: ${installCommand(manager, packages, isRoot)}`)
}

function isInPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function installWithApt(packages) {
  // The package lists can be good enough without the update, so only the result of the installation counts. apt-get
  // downloads all packages before it changes anything.
  const options = '-y --no-install-recommends -o DPkg::Lock::Timeout=60'
  const command = `apt-get update; exec apt-get install ${options} ${packages}`
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  runStep(`installing ${packages} (apt-get)`, ['sh', '-c', command], { env, reason: /^E: (.*)/m })
}

function installCommand(manager, packages, isRoot) {
  if (manager === 'brew') return `brew install ${packages}`
  const sudo = isRoot ? '' : 'sudo '
  const update = manager === 'apt-get' ? `${sudo}apt-get update && ` : ''
  return `${update}${sudo}${manager} install -y ${packages}`
}
