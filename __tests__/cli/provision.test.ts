import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { itInAll, sampled } from '../support/scale.js'
import { CLIENT, SECRET, startServer } from '../support/server.js'
import {
  type Ended,
  linesOf,
  openWorkplace,
  type RunOptions,
  run,
  runHere,
  type Workplace,
} from './command-line.js'

/** The command as shell scripts call it: real processes, and an issuer over HTTP. */

let work: Workplace

beforeAll(async () => {
  work = await openWorkplace()
})

afterAll(() => work.close())

/** Provisions a device that the client `fleet` asks a key for. */
function provision(arguments_: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const common = ['provision', '--issuer', work.issuer.origin, '--deadline', '20']
  return run([...common, ...arguments_], { ...options, env: { FLEET_SECRET: SECRET, ...options.env } })
}

const FLEET = ['--client-id', 'fleet', '--secret-env', 'FLEET_SECRET']

/** Each secret in a JSON file, such as a state: long texts with the names that secrets have. */
function secretsIn(file: string): string[] {
  const found: string[] = []
  JSON.parse(readFileSync(file, 'utf8'), (name, value) => {
    if (/^(d|key|client_secret|access_token)$/.test(name) && typeof value === 'string') found.push(value)
    if (name === 'answer' && typeof value === 'string')
      for (const [key, member] of Object.entries(JSON.parse(value)))
        if (/(secret|token)$/.test(key)) found.push(String(member))
    return value
  })
  return found
}

function expectNoSecrets({ stdout, stderr }: Ended, ...secrets: string[]): void {
  for (const secret of [SECRET, ...secrets]) expect(`${stdout}${stderr}`).not.toContain(secret)
  expect(`${stdout}${stderr}`).not.toMatch(/eyJ/)
}

describe('express-provisioning-keys provision', () => {
  it('binds a device with a key from a file, and needs no key at the next start', async () => {
    const key = await work.keyFor('device:1', 'provision:bind provision:token devices:read')
    const state = work.path('bound.json')
    const bind = ['--action', 'bind', '--state', state, '--scope', 'devices:read']
    const first = await provision([...bind, '--key-file', work.file('key', `${key}\n`)])
    expect(first).toMatchObject({ code: 0, signal: null })
    const result = JSON.parse(first.stdout)
    expect(result).toMatchObject({ action: 'bind', clientId: 'device:1', answer: { client_id: 'device:1' } })
    expect(linesOf(first.stderr).map(({ type }) => type)).toEqual([
      'key.received',
      'state.saved',
      'key.redeemed',
      'state.saved',
    ])
    expect(statSync(state).mode & 0o777).toBe(0o600)
    expectNoSecrets(first, key, ...secretsIn(state))

    const events = work.issuer.events.length
    const again = await provision([...bind, '--key-file', work.path('missing')])
    expect([again.code, JSON.parse(again.stdout)]).toEqual([0, result])
    expect(linesOf(again.stderr)).toEqual([{ type: 'state.found', clientId: 'device:1' }])
    expect(work.issuer.events).toHaveLength(events)
  })

  itInAll('registers a client with a key that it asks for, and writes the result to a file', async () => {
    const [state, output] = [work.path('registered.json'), work.path('result.json')]
    const register = ['--action', 'register', '--state', state, '--output', output, '--subject', 'device:2']
    const secret = work.file('secret', `${SECRET}\n`)
    const ended = await provision([...register, '--client-id', 'fleet', '--secret-file', secret])
    expect(ended.code).toBe(0)
    const { clientId, answer } = JSON.parse(ended.stdout)
    const written = JSON.parse(readFileSync(output, 'utf8'))
    expect(written).toMatchObject({ action: 'register', clientId, privateKey: { kty: 'EC' } })
    expect(statSync(output).mode & 0o777).toBe(0o600)
    expect(answer).toMatchObject({ client_id: clientId, token_endpoint_auth_method: 'private_key_jwt' })
    expectNoSecrets(ended, ...secretsIn(state), ...secretsIn(output))
  })

  it('gets an access token with a key from the standard input, and prints all but the token', async () => {
    const key = await work.keyFor('device:3', 'provision:token devices:read')
    const output = work.path('token.json')
    const ended = await provision(['--action', 'token', '--key-stdin', '--output', output], { input: key })
    expect(ended.code).toBe(0)
    const { answer, privateKey } = JSON.parse(readFileSync(output, 'utf8'))
    expect(answer.access_token).toMatch(/^eyJ/)
    expect(privateKey.d).toMatch(/^[\w-]{43}$/)
    const { access_token: _, ...rest } = answer
    expect(JSON.parse(ended.stdout).answer).toEqual(rest)
    expectNoSecrets(ended, key, ...secretsIn(output))
  })

  it('runs a program with the result in its environment, and passes on its exit code', async () => {
    const show = 'console.log(JSON.stringify(process.env)); process.exit(42)'
    const exec = ['--exec', process.execPath, '-e', show, '--', '--issuer']
    const ended = await provision([
      '--action',
      'token',
      '--scope',
      'devices:read',
      ...FLEET,
      '--subject',
      'device:4',
      ...exec,
    ])
    expect(ended.code).toBe(42)
    const env = JSON.parse(ended.stdout)
    expect(env).toMatchObject({
      PROVISION_ISSUER: work.issuer.origin,
      PROVISION_CLIENT_ID: 'device:4',
      PROVISION_ACCESS_TOKEN: expect.stringMatching(/^eyJ/),
      PROVISION_PRIVATE_KEY: expect.stringContaining('"kty":"EC"'),
    })
    expect(env).not.toHaveProperty('FLEET_SECRET')
    expect(env).not.toHaveProperty('PROVISION_CLIENT_SECRET')
    expectNoSecrets({ ...ended, stdout: '' }, env.PROVISION_ACCESS_TOKEN)
  })

  itInAll('ends with 127 if the program after --exec does not exist', async () => {
    const ended = await provision([
      '--action',
      'token',
      '--scope',
      'devices:read',
      ...FLEET,
      '--exec',
      'no-such-program',
    ])
    expect([ended.code, ended.stdout]).toEqual([127, ''])
    const message = '--exec: cannot find no-such-program'
    expect(linesOf(ended.stderr).at(-1)).toEqual({ type: 'error', code: 'exec_failed', message })
  })

  itInAll('passes SIGTERM on to the program, and ends as the program does', async () => {
    const wait =
      "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); console.log('ready')"
    const exec = ['--exec', process.execPath, '-e', wait]
    const ended = await provision(['--action', 'token', '--scope', 'devices:read', ...FLEET, ...exec], {
      async onStart(child) {
        if (child.stdout !== null) await once(child.stdout, 'data')
        child.kill('SIGTERM')
      },
    })
    expect([ended.code, ended.signal]).toEqual([7, null])
  })

  const SIGNALS = [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGTERM'],
    ['SIGHUP', 'SIGTERM'],
  ] as const

  it.each(sampled(SIGNALS, () => 0))(
    'passes on %s and then %s, and does not end before the program',
    async (...signals) => {
      const handle =
        "for (const name of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(name, () => console.log(name)); process.stdin.resume()"
      const count =
        'let left = 2; const print = console.log; console.log = (line) => { print(line); if (!left--) process.exit(7) }'
      const exec = ['--exec', process.execPath, '-e', `${count}; ${handle}; console.log('ready')`]
      const ended = await provision(['--action', 'token', '--scope', 'devices:read', ...FLEET, ...exec], {
        async onStart(child) {
          for (const signal of signals) {
            if (child.stdout !== null) await once(child.stdout, 'data')
            child.kill(signal)
          }
        },
      })
      expect(ended).toMatchObject({ code: 7, signal: null, stdout: ['ready', ...signals, ''].join('\n') })
    },
  )

  it.each(sampled(['SIGINT', 'SIGTERM', 'SIGHUP'] as const, () => 0))(
    'ends by %s while it waits for a key',
    async (signal) => {
      const bind = ['--action', 'bind', '--state', work.path(`${signal}.json`), '--key-stdin']
      const ended = await run(['provision', '--issuer', work.issuer.origin, ...bind], {
        onStart: (child) => work.issuer.http.once('request', () => child.kill(signal)),
      })
      expect([ended.signal, ended.stdout]).toEqual([signal, ''])
      const message = `Ended by ${signal}. The next call continues.`
      expect(linesOf(ended.stderr)).toEqual([{ type: 'error', code: 'interrupted', message }])
      expect(existsSync(work.path(`${signal}.json`))).toBe(false)
    },
  )

  it('lets two processes with one state file redeem one key', async () => {
    const key = work.file('shared-key', await work.keyFor('device:5', 'provision:bind'))
    const bind = ['--action', 'bind', '--state', work.path('shared.json'), '--key-file', key]
    const [one, other] = await Promise.all([provision(bind), provision(bind)])
    expect([one.code, other.code]).toEqual([0, 0])
    expect(one.stdout).toBe(other.stdout)
    expect(await work.issuer.keys.listBindings('device:5')).toHaveLength(1)
  })

  it('trusts a private authority by its fingerprint, and no other', async () => {
    const server = await startServer({
      optionsAt: (origin) => ({ issuer: origin, audience: origin }),
      mount: (app, keys) => app.use(keys.router()),
    })
    const sha256 = new X509Certificate(server.cert).fingerprint256
    const secret = ['--client-id', CLIENT, '--secret-file', work.file('pinned-secret', SECRET)]
    const token = ['provision', '--issuer', server.origin, '--action', 'token', '--scope', 'devices:read']
    const right = await runHere([...token, ...secret, '--ca-sha256', sha256])
    const wrong = await runHere([...token, ...secret, '--ca-sha256', `00${sha256.slice(2)}`])
    await server.close()
    expect([right.ending, wrong.ending]).toEqual([0, 75])
    expect(wrong.stderr).toMatch(
      /has no certificate with the SHA-256 fingerprint.* Otherwise, the operator of the issuer/,
    )
  })

  const PROXIES: readonly [string, readonly string[], string][] = [
    ['because Node ignores it', [], 'Node ignores HTTPS_PROXY: set NODE_USE_ENV_PROXY=1'],
    [
      'with --ca-sha256',
      ['--ca-sha256', '0'.repeat(64)],
      'With --ca-sha256, the command does not use HTTPS_PROXY.',
    ],
  ]

  it.each(sampled(PROXIES, () => 0))('names the proxy that it does not use %s', async (_, more, message) => {
    const unreachable = ['--issuer', 'https://127.0.0.1:1', '--action', 'token', '--deadline', '1']
    const env = { FLEET_SECRET: SECRET, HTTPS_PROXY: 'http://127.0.0.1:2' }
    const ended = await run(['provision', ...unreachable, ...FLEET, ...more], { env })
    expect(ended.code).toBe(75)
    expect(linesOf(ended.stderr).at(-1)?.message).toMatch(new RegExp(`^No answer from .* ${message}`))
  })

  itInAll('ends with 126 if the program after --exec cannot be started', async () => {
    const file = work.file('no-folder', '')
    const token = ['--action', 'token', '--scope', 'devices:read', ...FLEET]
    const ended = await provision([...token, '--exec', `${file}/program`])
    const message = `--exec: cannot run ${file}/program`
    expect([ended.code, linesOf(ended.stderr).at(-1)]).toEqual([
      126,
      { type: 'error', code: 'exec_failed', message },
    ])
  })

  itInAll('keeps the file of its secret, and does not put the result in its place', async () => {
    const secret = work.file('kept-secret', SECRET)
    const files = ['--secret-file', secret, '--output', secret]
    const { code, stderr } = await provision([
      '--action',
      'token',
      '--scope',
      'devices:read',
      '--client-id',
      'fleet',
      ...files,
    ])
    const message = '--output: expected another file than that of --secret-file, got the same'
    expect([code, linesOf(stderr)]).toEqual([2, [{ type: 'error', code: 'usage', message }]])
    expect(readFileSync(secret, 'utf8')).toBe(SECRET)
  })

  itInAll('refuses a link to the state as the file of the result', async () => {
    const state = work.file('linked-state.json', '{}')
    symlinkSync(state, work.path('link.json'))
    const files = ['--state', state, '--output', work.path('link.json')]
    const { code, stderr } = await provision(['--action', 'bind', ...FLEET, ...files])
    const message = '--output: expected another file than that of --state, got the same'
    expect([code, linesOf(stderr)]).toEqual([2, [{ type: 'error', code: 'usage', message }]])
    expect(readFileSync(state, 'utf8')).toBe('{}')
  })

  const UNWRITABLE = [
    ['in a folder that does not exist', 'missing/result.json', 'ENOENT'],
    ['with a name that is too long for its temporary file', 'r'.repeat(252), 'ENAMETOOLONG'],
  ] as const

  it.each(sampled(UNWRITABLE, () => 0))(
    'refuses a file for the result %s, before it uses a key',
    async (_, name, code) => {
      const events = work.issuer.events.length
      const output = work.path(name)
      const ended = await provision(['--action', 'token', ...FLEET, '--output', output])
      expect([ended.code, ended.stdout]).toEqual([75, ''])
      const message = `cannot write ${output} (${code}).`
      expect(linesOf(ended.stderr)).toEqual([expect.objectContaining({ blame: 'you', message })])
      expect(work.issuer.events).toHaveLength(events)
    },
  )

  it('finds a full disk before it uses a key', async () => {
    const events = work.issuer.events.length
    const output = work.path('full.json')
    const ended = await provision(['--action', 'token', ...FLEET, '--output', output], {
      limit: 'ulimit -f 8',
    })
    expect([ended.code, existsSync(`${output}.tmp`)]).toEqual([75, false])
    expect(work.issuer.events).toHaveLength(events)
  })

  const OTHERS = [
    ['a folder', 'mkdir'],
    ['a pipe', 'mkfifo'],
  ] as const

  it.each(sampled(OTHERS, () => 0))('does not put the result in the place of %s', async (_, make) => {
    const events = work.issuer.events.length
    const output = work.path(make)
    execFileSync(make, [output])
    const { ino } = statSync(output)
    const ended = await provision(['--action', 'token', ...FLEET, '--output', output])
    const message = '--output: expected a file, got a folder, a device or a pipe'
    expect([ended.code, linesOf(ended.stderr)]).toEqual([2, [{ type: 'error', code: 'usage', message }]])
    expect(statSync(output).ino).toBe(ino)
    expect(work.issuer.events).toHaveLength(events)
  })

  itInAll('gives a program its token, also if the secret was in the variable for the token', async () => {
    const client = ['--client-id', 'fleet', '--secret-env', 'PROVISION_ACCESS_TOKEN']
    const show = 'console.log(process.env.PROVISION_ACCESS_TOKEN)'
    const token = ['--action', 'token', '--scope', 'devices:read', ...client]
    const ended = await provision([...token, '--exec', process.execPath, '-e', show], {
      env: { PROVISION_ACCESS_TOKEN: SECRET },
    })
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^eyJ/) })
  })
})
