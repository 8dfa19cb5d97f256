import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COMMANDS } from '../../lib/cli/commands.js'
import { Report } from '../../lib/cli/report.js'
import { ROOT } from '../package/projects.js'
import { run, runHere } from './command-line.js'

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'
const ISSUER = ['--issuer', 'https://auth.example.com']
const BIND = ['provision', ...ISSUER, '--action', 'bind', '--state', '/nowhere/state.json']

const WRONG: readonly [title: string, arguments_: readonly string[], message: string][] = [
  ['no issuer', ['provision'], '--issuer: expected URL, got nothing; see provision --help'],
  ['no action', ['provision', ...ISSUER], '--action: expected ACTION, got nothing; see provision --help'],
  [
    'an unknown action',
    ['provision', ...ISSUER, '--action', 'enroll', '--state', 'a', '--key-stdin'],
    '--action: expected token or bind or register, got "enroll"',
  ],
  [
    'no state for a binding',
    ['provision', ...ISSUER, '--action', 'bind', '--key-stdin'],
    '--state: expected a file for the private key, because --action is not token',
  ],
  ['no key', BIND, 'expected --key-file, --key-env or --key-stdin, or --client-id; got none of them'],
  [
    'a key in two places',
    [...BIND, '--key-stdin', '--key-env', 'KEY'],
    '--key-*: expected one place for the key, got several',
  ],
  [
    'a client and a key',
    [...BIND, '--key-stdin', '--client-id', 'fleet'],
    '--client-id: expected either a client or a key, got both',
  ],
  [
    'a client without a secret',
    [...BIND, '--client-id', 'fleet'],
    '--client-id: expected --secret-file or --secret-env with it, got neither',
  ],
  [
    'a secret without a client',
    [...BIND, '--secret-env', 'A'],
    '--client-id: expected the client of the secret, got nothing; see provision --help',
  ],
  [
    'a subject without a client',
    [...BIND, '--key-stdin', '--subject', 'device:1'],
    '--subject: expected client with it, got no client',
  ],
  ['an unknown option', [...BIND, '--scopes', 'a'], 'unknown option --scopes; did you mean --scope?'],
  [
    'a key as an option',
    [...BIND, '--key', 'a-secret'],
    'unknown option --key; did you mean --key-file or --key-env or --key-stdin?',
  ],
  [
    'a secret as an option with =',
    [...BIND, '--secret=a-secret'],
    'unknown option --secret; did you mean --secret-file or --secret-env?',
  ],
  ['a short option', [...BIND, '-s', 'a-secret'], 'unknown option -s; see --help'],
  ['another text', [...BIND, 'a-secret'], 'argument 7: expected an option, got another text'],
  [
    'a secret in place of a name',
    [...BIND, '--key-env', 'a-secret'],
    '--key-env: expected the name of a variable in capital letters, got another text',
  ],
  ['an option twice', [...BIND, '--action', 'token'], '--action: expected it once, got it twice'],
  [
    'a dash in place of a file',
    [...BIND, '--key-stdin', '--output', '-'],
    '--output: expected FILE, got nothing; see provision --help',
  ],
  [
    'an option without its value',
    [...BIND, '--key-file', '--scope'],
    '--key-file: expected FILE, got nothing; see provision --help',
  ],
  [
    'an option with a value too many',
    [...BIND, '--key-stdin=a-secret'],
    '--key-stdin: expected no value, got one',
  ],
  [
    '--exec without a command',
    [...BIND, '--key-stdin', '--exec'],
    '--exec: expected a command after it, got nothing; see provision --help',
  ],
  [
    '--exec with an empty command',
    [...BIND, '--key-stdin', '--exec', ''],
    '--exec: expected a command after it, got nothing; see provision --help',
  ],
  [
    'a wrong deadline',
    [...BIND, '--key-stdin', '--deadline', 'soon'],
    '--deadline: expected a number of seconds from 1 to 86400, got NaN',
  ],
  [
    'a fingerprint without https',
    ['provision', '--issuer', 'http://localhost:1', '--action', 'token', '--key-stdin', '--ca-sha256', 'A1'],
    '--ca-sha256: expected an https URL as --issuer',
  ],
  [
    'a wrong fingerprint',
    [...BIND, '--key-stdin', '--ca-sha256', 'A1'],
    '--ca-sha256: expected 64 hex digits, with or without colons, got "A1"',
  ],
  [
    'one file for the state and the result',
    [...BIND, '--key-stdin', '--output', '/nowhere/state.json'],
    '--output: expected another file than that of --state, got the same',
  ],
  [
    'one file with two names for the state and the result',
    ['provision', ...ISSUER, '--action', 'bind', '--state', './state.json', '--output', 'state.json'],
    '--output: expected another file than that of --state, got the same',
  ],
  [
    'one file for a key and its public part',
    ['keygen', 'signing-key', '--output', '/nowhere/key.json', '--jwks', '/nowhere/../nowhere/key.json'],
    '--jwks: expected another file than that of --output, got the same',
  ],
]

describe('a wrong command line', () => {
  it.each(WRONG)('with %s gets one line and the exit code 2', async (_, arguments_, message) => {
    expect(await runHere(arguments_)).toEqual({ ending: 2, stdout: '', stderr: `error: ${message}\n` })
  })

  it.each([
    ['no command', [], 'nothing'],
    ['an unknown command', ['enroll'], 'another one'],
  ])('with %s names all commands', async (_, arguments_, got) => {
    const { ending, stderr } = await runHere(arguments_)
    expect(ending).toBe(2)
    expect(stderr).toMatch(/^error: expected a command \((\w[\w-]+, )*provision(, \w[\w-]+)*\), got /)
    expect(stderr).toContain(`, got ${got}; see --help\n`)
  })

  it('is not the word help, which shows the same as --help', async () => {
    for (const command of [[], ['check'], ['init']]) {
      const { ending, stdout } = await runHere(['help', ...command])
      expect({ ending, stdout }).toEqual({
        ending: 0,
        stdout: (await runHere([...command, '--help'])).stdout,
      })
    }
  })

  it.each([
    ['chek', 'check'],
    ['check_client', 'check-client'],
    ['Provison', 'provision'],
  ])('with the command %s suggests %s', async (name, near) => {
    expect((await runHere([name])).stderr).toMatch(
      new RegExp(`, got another one; did you mean ${near}\\?\n$`),
    )
  })

  it.each([
    ['as a value', [...BIND, '--scope', TOKEN]],
    ['after an equals sign', [...BIND, `--scope=${TOKEN}`]],
    [
      'for the program to run',
      [...BIND, '--key-stdin', '--exec', 'curl', '-H', `Authorization: DPoP ${TOKEN}`],
    ],
    ['as the command', [TOKEN]],
  ])('with a token %s gets one line without the token', async (_, arguments_) => {
    const { ending, stdout, stderr } = await runHere(arguments_)
    expect([ending, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^error: (argument \d+ contains a token\. All users|expected a command).*\n$/)
    expect(stderr).not.toContain('eyJ')
  })

  it('is an error of the process too, as a JSON line in a pipe', async () => {
    const { code, stdout, stderr } = await run([...BIND, '--key', 'a-secret'])
    const message = 'unknown option --key; did you mean --key-file or --key-env or --key-stdin?'
    expect([code, stdout]).toEqual([2, ''])
    expect(JSON.parse(stderr)).toEqual({ type: 'error', code: 'usage', message })
  })
})

describe('the command line', () => {
  it('prints its commands, the options of each, and its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect((await runHere(['--help'])).stdout).toContain('\n  provision     get a provisioning key')
    expect((await runHere(['provision', '--help'])).stdout).toContain('\n  --issuer URL          The issuer')
    expect((await runHere(['--version'])).stdout).toBe(`${version}\n`)
    expect((await runHere(['provision', '--version'])).stdout).toBe(`${version}\n`)
  })

  it.each([[], ...Object.keys(COMMANDS).map((name) => [name])])(
    'has lines of at most 80 characters in its help (%s)',
    async (...command) => {
      const { stdout } = await runHere([...command, '--help'])
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    },
  )
})

describe('the start of a command', () => {
  it('loads no package of the server, if the command is for devices', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cli-'))
    const hook = join(folder, 'loaded.cjs')
    writeFileSync(hook, `process.on('exit', () => console.error(Object.keys(require.cache).join('\\n')))`)
    const env = { NODE_OPTIONS: `--require ${hook}` }
    const packagesOf = async (command: string) => {
      const { stderr } = await run([command, '--help'], { env })
      return [...new Set([...stderr.matchAll(/node_modules.([\w-]+)/g)].map(([, name]) => name))]
    }
    expect(await packagesOf('provision')).toEqual([])
    expect(await packagesOf('explain')).toContain('express')
    rmSync(folder, { recursive: true })
  })
})

describe('a report on a terminal', () => {
  function written(use: (report: Report) => void): string {
    let text = ''
    use(
      new Report((line) => {
        text += line
      }, true),
    )
    return text
  }

  it('is in sentences', () => {
    const text = written((report) => {
      report.progress({ type: 'retry.scheduled', reason: 'No answer from a.', delaySeconds: 1.234 })
      report.progress({ type: 'state.found', clientId: 'device:7' })
    })
    expect(text).toBe(
      'No answer from a. Trying again in 1.2 s.\n' +
        'This device is already provisioned as device:7. To enroll it again, delete its state.\n',
    )
  })

  it('names the party that must correct an error, and says when to try again', () => {
    const text = written((report) => {
      report.error({ code: 'refused', message: 'It answered 400.', blame: 'you', isTransient: false })
      report.error({
        code: 'issuer_unavailable',
        message: 'It answered 503.',
        blame: 'issuer',
        isTransient: true,
        retryAfterSeconds: 90,
      })
    })
    expect(text).toBe(
      'error: It answered 400. You must correct this.\n' +
        'error: It answered 503. The operator of the issuer must correct this. Try again in 90 seconds.\n',
    )
  })

  it('ends the message with a full stop before it says who must correct the error', () => {
    const text = written((report) => {
      report.error({ code: 'failed', message: 'a is not b', blame: 'you', isTransient: false })
      report.error({ code: 'usage', message: 'expected a, got b' })
    })
    expect(text).toBe('error: a is not b. You must correct this.\nerror: expected a, got b\n')
  })

  it('has no tokens, hidden secrets or control characters', () => {
    const text = written((report) => {
      report.hide(' hush-hush \n')
      report.error({ code: 'refused', message: `said hush-hush, ${TOKEN}\u001b[2J\nand more` })
    })
    expect(text).toBe('error: said (a secret), (a token) [2J and more\n')
  })
})
