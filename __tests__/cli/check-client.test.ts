import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { itInAll } from '../support/scale'
import { run, runHere } from './command-line'

const CLIENT = join(__dirname, '../checks/client/broken-client.mjs')
const HEALTHY = ['--only', 'client-healthy', '--timeout', '30']

/** A client that is one line of JavaScript. */
const script = (code: string) => [process.execPath, '-e', code]
const check = (options: readonly string[], program: readonly string[]) =>
  run(['check-client', ...options, '--', ...program], { env: { TMPDIR: folder } })

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('a wrong command line of check-client', () => {
  it.each([
    [
      'without a command',
      [],
      'expected -- and the command of a client, got nothing; see check-client --help',
    ],
    [
      'with nothing after --',
      ['--'],
      '--: expected a command after it, got nothing; see check-client --help',
    ],
    [
      'with a missing program',
      ['--', 'no-such-program'],
      '--: cannot find the program no-such-program, or cannot run it',
    ],
    [
      'with a file that is no program',
      ['--', __filename],
      `--: cannot find the program ${__filename}, or cannot run it`,
    ],
    [
      'without -- before the client',
      ['sh', 'enroll.sh'],
      'argument 1: expected an option, or -- and then the command of the client, got another text',
    ],
    [
      'with a wrong supply',
      ['--supply', 'file', '--', 'true'],
      '--supply: expected client or key, got another text',
    ],
    [
      'with a wrong time',
      ['--timeout', '0', '--', 'true'],
      '--timeout: expected a number of seconds from 1 to 9999, got another text',
    ],
    [
      'with an unknown scenario',
      ['--only', 'client-noncce', '--', 'true'],
      'unknown check "client-noncce"; did you mean "client-nonce"?',
    ],
  ])('%s gets one line and the exit code 2', async (_, arguments_, message) => {
    expect(await runHere(['check-client', ...arguments_])).toEqual({
      ending: 2,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })

  it('is explained by --help', async () => {
    const { stdout } = await runHere(['check-client', '--help'])
    expect(stdout).toContain('\nUsage: express-provisioning-keys check-client [OPTIONS] -- COMMAND...\n')
    expect(stdout).toContain('\n  ISSUER ')
  })
})

describe('check-client', () => {
  it('passes a correct client, and reports what it saw as JSON', async () => {
    const { code, stdout, stderr } = await check(['--json', ...HEALTHY], ['node', CLIENT])
    const { passed, checks } = JSON.parse(stdout)
    expect({ code, stderr, passed }).toEqual({ code: 0, stderr: '', passed: true })
    expect(checks).toEqual([
      expect.objectContaining({
        id: 'client-healthy',
        outcome: 'passed',
        details: [{ saw: 'it ended with exit code 0; requests: 3, key pairs bound: 1; no secret disclosed' }],
      }),
    ])
  })

  it('says once that a client does nothing, and skips the other scenarios', async () => {
    const { code, stdout } = await check([], script(''))
    expect(code).toBe(1)
    expect(stdout).toContain(
      '× the client enrolls the device once\n  actual    no key pair was bound; no request arrived\n',
    )
    expect(stdout.match(/needs client-healthy, which failed/g)).toHaveLength(1)
    expect(stdout).toContain('\n- 20 more checks are skipped for this reason\n')
    expect(stdout).toContain('\nNot passed: 1 check failed: client-healthy (0 passed, 21 skipped).\n')
  })

  it('ends a client that never ends, and the processes that it started', async () => {
    const pids = join(folder, 'pids')
    const child = `require('node:fs').appendFileSync('${pids}', process.pid + ' '); setInterval(() => 0, 1000)`
    const parent = `${child}; require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}])`
    const { code, stdout } = await check(['--only', 'client-healthy', '--timeout', '3'], script(parent))
    expect([code, stdout]).toEqual([1, expect.stringContaining('it did not end within 3 seconds')])
    const ids = readFileSync(pids, 'utf8').trim().split(' ').map(Number)
    expect(ids.filter((id) => existsSync(`/proc/${id}`) && isRunning(id))).toEqual([])
    expect(ids).toHaveLength(2)
  })

  itInAll('does not wait for a process that has left the group of the client', async () => {
    const leave = `require('node:child_process').spawn('sleep', ['20'], { detached: true, stdio: 'inherit' }).unref()`
    const { stdout } = await check(HEALTHY, script(`${leave}; process.exit(3)`))
    expect(stdout).toContain('it ended with exit code 3')
  })

  itInAll('finds a secret between megabytes of output, and does not print it', async () => {
    const noise = `process.stdout.write('all is well\\n'.repeat(300_000))`
    const leak = `console.log(process.env.CLIENT_SECRET)`
    const { code, stdout } = await check(HEALTHY, script(`${noise}; ${leak}; ${noise}`))
    expect(code).toBe(1)
    expect(stdout.length).toBeLessThan(3000)
    expect(stdout.replace(/\s+/g, ' ')).toContain('it disclosed the client secret in stdout')
  })

  it('quotes the last words of a client, without control characters', async () => {
    const { stdout } = await check(
      HEALTHY,
      script(`console.error('one\\u001b[2J\\nno \\u0007route'); process.exit(4)`),
    )
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'it ended with exit code 4; no key pair was bound; no request arrived; it printed: no route',
    )
  })

  itInAll('runs no shell, and passes arguments unchanged', async () => {
    const { stdout } = await check(HEALTHY, [
      ...script('console.error(process.argv[1]); process.exit(4)'),
      '$HOME `id`;',
    ])
    expect(stdout).toContain('$HOME `id`;')
  })

  itInAll('ends the client and removes its folders if it is interrupted', async () => {
    const { code, signal } = await run(['check-client', '--', ...script('setInterval(() => 0, 1000)')], {
      env: { TMPDIR: folder },
      onStart: (child) => setTimeout(() => child.kill('SIGTERM'), 2500),
    })
    expect([code, signal]).toEqual([null, 'SIGTERM'])
    expect(readdirSync(folder).filter((name) => name.startsWith('check-client-'))).toEqual([])
  })
})

function isRunning(id: number): boolean {
  return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${id}/stat`, 'utf8'))
}
