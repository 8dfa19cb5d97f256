import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemCode } from '../../lib/base/system-code.js'
import { ROOT } from '../package/projects.js'
import { until } from '../support/receiver.js'
import { itInAll, sampled } from '../support/scale.js'
import { run, runHere } from './command-line.js'

let folder: string
const path = (name: string) => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'review-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

const LIBRARY = JSON.stringify(join(ROOT, 'dist/index.js'))
const SECRET = 'a-plain-secret-of-a-client-0123456789'

/** A module with keys. */
const MODULE = `const { generateSigningKeys, provisioningKeys } = require(${LIBRARY})
exports.keys = provisioningKeys({
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  environment: 'production',
  signingKeys: generateSigningKeys(),
  policy: { senderConstraint: 'dpop' },
  clients: [{ clientId: 'a', secretHash: process.env.HASH ?? '${`hmac-sha256:${'A'.repeat(22)}:${'A'.repeat(43)}`}', policy: { scopes: ['a'] } }],
  observer: () => undefined,
})
`

function module(text: string, name = 'keys.cjs'): string {
  writeFileSync(path(name), text)
  return path(name)
}

/** A process that has ended can stay in the list until its parent asks for it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch (error) {
    return process.platform !== 'linux' && systemCode(error) === 'ENOENT'
  }
}

const review = (text: string, ...options: readonly string[]) => run(['review', module(text), ...options])

describe('review', () => {
  it('passes with a warning, and names the rule, the path and the fix', async () => {
    const { code, stdout, stderr } = await review(MODULE)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('‼ all processes share one store\n  actual    store: memoryStore()\n')
    expect(stdout).toContain('docs/reference/policy-rules.md#shared-store\n')
    expect(stdout).toMatch(/All checks that ran passed \(\d+ passed, 1 warning, \d+ skipped\)\.\n$/)
  })

  itInAll('skips the rules about Redis for another store, and says why', async () => {
    const { stdout } = await review(MODULE, '--only', 'store-hazards,shared-rate-limits', '--json')
    const { checks } = JSON.parse(stdout)
    expect(checks.map((one: { id: string; reason: string }) => [one.id, one.reason])).toEqual([
      ['shared-rate-limits', 'the store is not redisStore()'],
      ['store-hazards', 'the store is not redisStore()'],
    ])
  })

  itInAll('names an option of the deployment once, however many clients it affects', async () => {
    const client = (id: string) =>
      `{ clientId: '${id}', secretHash: \`hmac-sha256:\${'${id}'.repeat(22)}:\${'${id}'.repeat(43)}\` }`
    const text = MODULE.replace(/clients: \[.*\]/, `clients: [${['A', 'B', 'C'].map(client)}]`).replace(
      "senderConstraint: 'dpop'",
      `scopes: ['a'], maxLifetimeSeconds: 3600`,
    )
    const { stdout } = await review(text, '--only', 'key-lifetime', '--sarif', path('once.sarif'))
    expect(stdout).toContain('  actual    policy.maxLifetimeSeconds: 3600 s\n')
    const [{ results }] = JSON.parse(readFileSync(path('once.sarif'), 'utf8')).runs
    const lifetimes = results.filter((one: { ruleId: string }) => one.ruleId === 'key-lifetime')
    expect(lifetimes).toHaveLength(1)
  })

  it('fails for an error, and writes JSON, SARIF and JUnit', async () => {
    const policy = path('policy.json')
    writeFileSync(
      policy,
      JSON.stringify({ rules: { 'shared-store': 'error', 'key-lifetime': { maxSeconds: 60 } } }),
    )
    const reports = ['--json', '--sarif', path('a.sarif'), '--junit', path('junit.xml')]
    const { code, stdout } = await review(MODULE, '--policy', policy, ...reports)
    expect(code).toBe(1)
    const failed = JSON.parse(stdout).checks.filter(
      ({ outcome }: { outcome: string }) => outcome === 'failed',
    )
    expect(failed.map(({ id }: { id: string }) => id)).toEqual(['key-lifetime', 'shared-store'])
    expect(failed[0].details).toEqual([
      expect.objectContaining({
        rule: 'key-lifetime',
        path: 'clients[0].policy.maxLifetimeSeconds',
        severity: 'error',
      }),
    ])
    const [{ results }] = JSON.parse(readFileSync(path('a.sarif'), 'utf8')).runs
    expect(results.map((one: { ruleId: string; level: string }) => [one.ruleId, one.level])).toEqual([
      ['key-lifetime', 'error'],
      ['shared-store', 'error'],
    ])
    expect(readFileSync(path('junit.xml'), 'utf8')).toContain('<failure message="store: memoryStore()">')
  })

  itInAll('writes reports that all users can read, also through a link', async () => {
    symlinkSync(path('target.xml'), path('link.xml'))
    const reports = ['--sarif', path('b.sarif'), '--junit', path('link.xml')]
    expect((await review(MODULE, ...reports)).code).toBe(0)
    expect(statSync(path('b.sarif')).mode & 0o777).toBe(0o644)
    expect(lstatSync(path('link.xml')).isSymbolicLink()).toBe(true)
    expect(readFileSync(path('target.xml'), 'utf8')).toContain('<testsuites')
  })

  it.each(sampled(['sarif', 'junit'], () => 'a report'))(
    'does not replace the module with a report of --%s',
    async (name) => {
      const { code, stderr } = await review(MODULE, `--${name}`, path('./keys.cjs'))
      const message = `--${name}: expected a file of its own, got one that is named twice`
      expect([code, JSON.parse(stderr)]).toEqual([2, { type: 'error', code: 'usage', message }])
      expect(readFileSync(path('keys.cjs'), 'utf8')).toBe(MODULE)
    },
  )

  itInAll('prints the results even if a report cannot be written', async () => {
    const { code, stdout, stderr } = await review(MODULE, '--json', '--junit', folder)
    expect([code, JSON.parse(stdout).passed]).toEqual([75, true])
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'output_not_written',
      message: `cannot write ${folder} (EISDIR).`,
    })
  })

  itInAll('refuses a report in a missing folder before it runs a check', async () => {
    const { code, stdout, stderr } = await review(MODULE, '--json', '--junit', path('missing/a.xml'))
    expect([code, stdout]).toEqual([75, ''])
    expect(JSON.parse(stderr).message).toBe(`cannot write ${path('missing/a.xml')} (ENOENT).`)
  })

  itInAll('accepts deviations of a list, and fails for too many warnings', async () => {
    writeFileSync(path('accepted.txt'), 'shared-store\n')
    writeFileSync(path('strict.json'), JSON.stringify({ rules: { 'shared-store': 'error' } }))
    const options = ['--policy', path('strict.json'), '--expected-failures', path('accepted.txt')]
    expect((await review(MODULE, ...options)).code).toBe(0)
    expect((await review(MODULE, '--max-warnings', '0')).code).toBe(1)
  })

  it('finds secrets in the text of the module, names their lines, and prints none', async () => {
    const text = `${MODULE}const secret = process.env.S ?? '${SECRET}'\nconst url = 'redis://user:hunter2hunter2@redis'\n`
    const { code, stdout, stderr } = await review(text, '--json')
    const { checks } = JSON.parse(stdout)
    const { details } = checks.find(({ id }: { id: string }) => id === 'secrets-in-file')
    expect(details.map((one: { actual: string }) => one.actual)).toEqual(['a secret', 'a password in a URL'])
    expect(details[1].line - details[0].line).toBe(1)
    expect([code, `${stdout}${stderr}`.includes(SECRET), stdout.includes('hunter2')]).toEqual([
      1,
      false,
      false,
    ])
  })

  itInAll('ends a module that keeps the process alive, and shows nothing that it prints', async () => {
    const { code, stdout, stderr } = await review(
      `${MODULE}setInterval(() => 0, 9); console.log('${SECRET}')`,
    )
    expect([code, `${stdout}${stderr}`.includes(SECRET)]).toEqual([0, false])
  })

  itInAll('loads a module that tells its parent process that it is ready', async () => {
    expect((await review(`process.send?.('ready')\n${MODULE}`)).code).toBe(0)
  })

  itInAll('loads an ES module with a default export', async () => {
    const text = `import { createRequire } from 'node:module'
export default createRequire(import.meta.url)(${JSON.stringify(module(MODULE, 'inner.cjs'))}).keys`
    expect((await run(['review', module(text, 'keys.mjs')])).code).toBe(0)
  })
})

describe('review of a module that cannot be loaded', () => {
  const CASES: readonly [
    title: string,
    kind: 'throws' | 'exports' | 'ends',
    text: string,
    message: RegExp,
  ][] = [
    ['throws', 'throws', `throw new Error('no database')`, /keys\.cjs: it failed to load: no database$/],
    [
      'throws a text with a password and a token',
      'throws',
      `throw new Error('redis://a:hunter2@b eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln')`,
      /it failed to load: redis:\/\/\(a secret\)@b \[redacted\]$/,
    ],
    ['has a wrong syntax', 'throws', 'const const', /it failed to load: Unexpected token 'const'$/],
    [
      'needs a missing package',
      'throws',
      `require('missing-package')`,
      /MODULE_NOT_FOUND Cannot find module 'missing-package'/,
    ],
    [
      'has faulty options',
      'throws',
      `require(${LIBRARY}).provisioningKeys({})`,
      /its options are faulty: \d+ faults: - issuer/,
    ],
    ['exports nothing', 'exports', '', /it exports no keys: export the result of provisioningKeys\(\)/],
    ['exports something else', 'exports', 'exports.keys = { router() {} }', /it exports no keys/],
    ['ends the process', 'ends', 'process.exit(0)', /it ended the process$/],
    [
      'kills the process',
      'ends',
      `process.kill(process.pid, 'SIGKILL')`,
      /its process ended without a result$/,
    ],
    [
      'sends a result of its own',
      'exports',
      `const result = { description: { clients: [] } }
process.send(result); process.send({ mark: process.argv[3], result })`,
      /it exports no keys/,
    ],
  ]

  const sample = sampled(CASES, ([, kind]) => kind)

  it.each(sample)('because it %s gets one line and the exit code 2', async (_, __, text, message) => {
    const { code, stdout, stderr } = await review(text)
    expect([code, stdout, stderr.split('\n').length]).toEqual([2, '', 2])
    expect(JSON.parse(stderr)).toMatchObject({ code: 'usage', message: expect.stringMatching(message) })
    expect(stderr).not.toMatch(/hunter2|eyJ/)
  })

  it.each(
    sampled(
      [
        ['an endless loop', 'while (true) {}', 'keys.cjs'],
        ['an endless promise', 'setInterval(() => 0, 1000); await new Promise(() => 0)', 'keys.mjs'],
      ],
      () => 0,
    ),
  )('because of %s ends in bounded time', async (_, text, name) => {
    const { code, stderr } = await run(['review', module(text, name), '--timeout', '1'])
    expect(code).toBe(2)
    expect(JSON.parse(stderr).message).toMatch(
      /it did not load within 1 seconds; does it wait for a server\?$/,
    )
  })

  itInAll('because nobody waits for it leaves no process behind', async () => {
    const text = `require('fs').writeFileSync(${JSON.stringify(path('pid'))}, String(process.pid)); while (true) {}`
    await run(['review', module(text), '--timeout', '1'])
    const pid = Number(readFileSync(path('pid'), 'utf8'))
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })

  const HANGS = [
    ['SIGKILL', 'while (true) {}'],
    ['SIGKILL', 'setInterval(() => 0, 1000); await new Promise(() => 0)'],
    ['SIGHUP', 'setInterval(() => 0, 1000); await new Promise(() => 0)'],
  ] as const

  it.each(sampled(HANGS, () => 'a signal'))(
    'that hangs ends when %s ends the command: %s',
    async (signal, hang) => {
      const file = path('pid-of-hung')
      rmSync(file, { force: true })
      const text = `import { writeFileSync } from 'node:fs'
writeFileSync(${JSON.stringify(file)}, String(process.pid))
${hang}`
      await run(['review', module(text, 'hung.mjs')], {
        async onStart(child) {
          await until(() => existsSync(file) && readFileSync(file, 'utf8') !== '')
          child.kill(signal)
        },
      })
      await until(() => !isRunning(Number(readFileSync(file, 'utf8'))))
    },
  )

  const ENDS = [
    ['has killed its process', `process.kill(process.pid, 'SIGKILL')`],
    ['has loaded', MODULE],
    ['has ended its process', 'process.exit(0)'],
  ] as const

  for (const [name, end] of ENDS)
    itInAll(`leaves no process behind that the module has started, even if it ${name}`, async () => {
      const start = `const { pid } = require('child_process').spawn('sleep', ['60'], { stdio: [0, 1, 2, 3] })
require('fs').writeFileSync(${JSON.stringify(path('pid'))}, String(pid))`
      await review(`${start}\n${end}`, '--timeout', '2')
      const pid = Number(readFileSync(path('pid'), 'utf8'))
      await until(() => !isRunning(pid))
    })

  it.each([
    ['a missing module', ['/nowhere/keys.cjs'], 'cannot read /nowhere/keys.cjs (ENOENT)'],
    ['no module', [], 'expected MODULE, got nothing; see review --help'],
    [
      'a time that is none',
      ['a', '--timeout', 'soon'],
      '--timeout: expected a number of seconds from 1 to 999, got another text',
    ],
    ['a missing policy', ['a', '--policy', '/nowhere'], '--policy: cannot read /nowhere (ENOENT)'],
    [
      'a policy that is no JSON',
      ['a', '--policy', __filename],
      `--policy: expected a JSON object in ${__filename}, got another text`,
    ],
  ])('with %s gets one line', async (_, arguments_, message) => {
    const { ending, stderr } = await runHere(['review', ...arguments_])
    expect([ending, stderr]).toEqual([2, `error: ${message}\n`])
  })

  it('with unknown rules gets all of them in one line, with suggestions', async () => {
    writeFileSync(path('bad.json'), JSON.stringify({ rules: { 'key-lifetimes': 'error', observer: 'loud' } }))
    const { ending, stderr: message } = await runHere(['review', 'a', '--policy', path('bad.json')])
    expect([ending, message.split('\n').length]).toEqual([2, 2])
    expect(message).toContain('rules.key-lifetimes: expected a known option; did you mean key-lifetime?')
    expect(message).toContain('rules.observer: expected false or error or warning, got "loud"')
  })

  itInAll('in TypeScript, without tsx, gets one line', async () => {
    const { code, stderr } = await run(['review', module('export const keys: number = 1', 'keys.ts')])
    const isLoaded = Reflect.get(process.features, 'typescript') !== undefined
    const message = 'this Node cannot load TypeScript: install tsx in the project, or name a JavaScript file'
    expect([code, JSON.parse(stderr).message]).toEqual([
      2,
      isLoaded ? expect.stringContaining('it exports no keys') : message,
    ])
  })
})
