import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runProgram } from './support/run-program'

const ROOT = join(__dirname, '..')

jest.setTimeout(120_000)

/** The only folder in the PATH of the processes below. Nothing but redis-server is missing in it. */
let bin: string

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'setup-'))
  for (const program of ['redis-cli', 'openssl', 'curl', 'chromium']) addProgram(program)
  symlinkSync('/bin/sh', join(bin, 'sh'))
})

afterEach(() => rmSync(bin, { recursive: true }))

function addProgram(name: string, script = 'exit 1'): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}

/** Prepares the programs as `npm test` does, then prints `tests`. */
function prepare(isRoot: boolean) {
  const url = pathToFileURL(join(ROOT, 'scripts/programs.mjs'))
  const script = `import('${url}').then((m) => { m.ensurePrograms({ isRoot: ${isRoot} }); console.log('tests') })`
  return runProgram(process.execPath, ['-e', script], { env: { PATH: bin } })
}

describe('a missing program', () => {
  it('is installed with apt-get for root, in one line', () => {
    addProgram('apt-get', `case "$*" in install*redis-server) : >'${bin}/redis-server';; esac`)
    expect(prepare(true)).toEqual({
      status: 0,
      stdout: 'tests\n',
      stderr: 'setup: installing redis-server (apt-get) ... done\n',
    })
    expect(existsSync(join(bin, 'redis-server'))).toBe(true)
  })

  it('stops root in one line if apt-get fails', () => {
    const output = 'echo "Reading lists..."; echo "E: Unable to fetch some archives" >&2; echo "E: more" >&2'
    addProgram('apt-get', `${output}; exit 100`)
    expect(prepare(true)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'setup: installing redis-server (apt-get) ... failed: Unable to fetch some archives\n',
    })
  })

  it.each<[manager: string, isRoot: boolean, command: string]>([
    ['apt-get', false, 'sudo apt-get update && sudo apt-get install -y redis-server'],
    ['brew', false, 'brew install redis'],
    ['dnf', false, 'sudo dnf install -y redis'],
    ['dnf', true, 'dnf install -y redis'],
  ])('stops other users with one command: %s, root: %s', (manager, isRoot, command) => {
    addProgram(manager)
    const stderr = `setup: missing redis-server; install with: ${command}\n`
    expect(prepare(isRoot)).toEqual({ status: 1, stdout: '', stderr })
  })

  it('is named if there is no known package manager', () => {
    expect(prepare(true).stderr).toBe('setup: missing redis-server; install this first\n')
  })
})

it('prints nothing if no program is missing', () => {
  addProgram('redis-server')
  expect(prepare(false)).toEqual({ status: 0, stdout: 'tests\n', stderr: '' })
})

it('stops npm test before the first test if a program is missing, in less than 2 seconds', () => {
  const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  addProgram('brew')
  symlinkSync(process.execPath, join(bin, 'node'))
  // `times` prints the processor time of the children in its last line. It depends little on other load.
  const script = `'${npm}' test -- __tests__/base; status=$?; times; exit $status`
  const { status, stdout, stderr } = runProgram('sh', ['-c', script], {
    cwd: ROOT,
    env: { PATH: bin, HOME: process.env.HOME },
  })
  expect(status).toBe(1)
  expect(stderr).toBe('setup: missing redis-server; install with: brew install redis\n')
  expect(stdout).not.toMatch(/tests?:|failed/i)
  const [, user = '', system = ''] = /0m([\d.]+)s 0m([\d.]+)s\n$/.exec(stdout) ?? []
  expect(Number.parseFloat(user) + Number.parseFloat(system)).toBeLessThan(2)
})

it('stops in one line and installs nothing if npm has no network', () => {
  const checkout = mkdtempSync(join(tmpdir(), 'checkout-'))
  try {
    cpSync(join(ROOT, 'scripts'), join(checkout, 'scripts'), { recursive: true })
    // One package fails like all of them, and npm does not try 600 downloads.
    const manifest = { name: 'checkout', version: '1.0.0', dependencies: { express: '5.3.0' } }
    const express = { version: '5.3.0', integrity: 'sha512-AAAA' }
    const packages = { '': manifest, 'node_modules/express': express }
    writeFileSync(join(checkout, 'package.json'), JSON.stringify(manifest))
    writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }))
    const { status, stderr } = runProgram(process.execPath, ['scripts/setup.mjs'], {
      cwd: checkout,
      env: {
        ...process.env,
        npm_config_registry: 'http://127.0.0.1:1',
        npm_config_cache: join(checkout, 'cache'),
        npm_config_fetch_retries: '0',
      },
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^setup: installing the dependencies \(npm ci\) \.\.\. failed: .*ECONNREFUSED.*\n$/,
    )
    const modules = join(checkout, 'node_modules')
    expect(existsSync(modules) ? readdirSync(modules) : []).toEqual([])
  } finally {
    rmSync(checkout, { recursive: true })
  }
})
