import { readFileSync } from 'node:fs'
import { DEPLOYMENT_CHECKS } from '../../lib/checks/deployment/checks.js'
import { SECRET } from '../support/server.js'
import { linesOf, openWorkplace, run, runHere, type Workplace } from './command-line.js'

let work: Workplace
let secret: string

beforeAll(async () => {
  work = await openWorkplace()
  secret = work.file('secret', `${SECRET}\n`)
})

afterAll(() => work.close())

/** Runs the command with the client `fleet`. */
function check(arguments_: readonly string[], { issuer = work.issuer.origin } = {}) {
  const client = ['--client-id', 'fleet', '--secret-file', secret, '--scope', 'provision:token devices:read']
  return runHere(['check', issuer, ...client, ...arguments_])
}

const FAST = ['--only', 'discovery,issuance-caching']

describe('check', () => {
  it('prints each check in its group, and exits with 0', async () => {
    const { ending, stdout, stderr } = await check(FAST)
    expect([ending, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Discovery\n√ the metadata are a JSON object with a token endpoint\n/)
    expect(stdout).toMatch(
      /\n\nIssuance\n√ the server forbids caches to keep an answer with a key\n\nAll checks passed \(6 passed\)\.\n$/,
    )
  })

  it('prints one JSON object, and no link for a check without a fault', async () => {
    const { ending, stdout } = await check([...FAST, '--json'])
    const { passed, subject, checks } = JSON.parse(stdout)
    expect([ending, passed, subject]).toEqual([0, true, work.issuer.origin])
    expect(checks[0]).toMatchObject({ id: 'discovery-metadata', outcome: 'passed' })
    expect(checks[0]).not.toHaveProperty('help')
  })

  it('writes JUnit XML', async () => {
    const junit = work.path('junit.xml')
    expect(await check([...FAST, '--junit', junit])).toMatchObject({ ending: 0 })
    expect(readFileSync(junit, 'utf8')).toContain(
      `<testsuites name="${work.issuer.origin}" tests="6" failures="0">`,
    )
  })

  it('exits with 1 if a check fails, and shows no secret', async () => {
    const other = work.file('wrong', 'another-secret-that-is-wrong')
    const client = ['--client-id', 'fleet', '--secret-file', other]
    const { ending, stdout } = await runHere([
      'check',
      work.issuer.origin,
      ...client,
      '--only',
      'issuance-caching',
    ])
    expect(ending).toBe(1)
    expect(stdout).toMatch(/× the test client gets a key\n {2}actual {4}status 401, invalid_client/)
    expect(stdout).toMatch(
      / -H "Authorization: Basic \$BASIC" --data-urlencode "grant_type=client_credentials"/,
    )
    expect(stdout).not.toContain('another-secret')
  })

  it('exits with 0 if only expected checks fail, and with 1 if one of them passes', async () => {
    const list = work.file('expected', 'issuance-lifetime # until July\n')
    const one = await check(['--only', 'issuance-lifetime', '--expected-failures', list])
    expect([one.ending, one.stdout]).toEqual([
      1,
      expect.stringContaining('expected to fail, but passed: issuance-life'),
    ])
  })

  it('exits with 2 if no check ran', async () => {
    const { ending, stdout } = await check(['--only', 'hsts,tls-version', '--skip', 'reachable'])
    expect([ending, stdout]).toEqual([2, expect.stringContaining('No check ran.')])
  })

  it('exits with 1 in bounded time if nothing answers', async () => {
    const { ending, stdout } = await check([], { issuer: 'http://localhost:1' })
    expect(ending).toBe(1)
    expect(stdout.match(/^×/gm)).toHaveLength(1)
    expect(stdout).toContain('No answer from localhost:1: ECONNREFUSED')
  })

  it('takes a route as a path of the issuer', async () => {
    const { stdout } = await check(['--only', 'key-missing', '--protected-url', '/nowhere'])
    expect(stdout).toContain(`curl -i -X GET "${work.issuer.origin}/nowhere"`)
  })

  it.each<[string, () => readonly string[], RegExp]>([
    [
      'that is shorter than all secrets of servers',
      () => ['--secret-file', work.file('short', 'x\n')],
      /^error: --secret-file: expected the secret of the client, which has at least 24 characters, got a string of 1 /,
    ],
    ['that is empty', () => ['--secret-file', work.file('empty', '\n')], /got a string of 0 characters\n$/],
    [
      'in a missing file',
      () => ['--secret-file', '/nowhere/secret'],
      /^error: --secret-file: cannot read \/nowhere\/secret \(ENOENT\); name a file that contains the secret of /,
    ],
    [
      'in a variable that is not set',
      () => ['--secret-env', 'NOPE'],
      /^error: --secret-env: the variable NOPE is not set; export it with the secret of the client in it\n$/,
    ],
  ])('sends no request with a secret %s', async (_, place, message) => {
    const seen = work.issuer.events.length
    const { ending, stdout, stderr } = await runHere([
      'check',
      work.issuer.origin,
      '--client-id',
      'fleet',
      ...place(),
    ])
    expect([ending, stdout, work.issuer.events.length]).toEqual([2, '', seen])
    expect(stderr).toMatch(message)
  })

  it('names a device that the server has not deleted, so that you can delete it', async () => {
    const policy = {
      scopes: ['provision:bind', 'provision:token', 'devices:create', 'devices:read'],
      subjects: ['device:*'],
      onReplay: 'flag',
    } as const
    const own = await openWorkplace({ clients: [{ clientId: 'fleet', clientSecret: SECRET, policy }] })
    const device = ['--only', 'binding', '--device-prefix', 'device:check-']
    const { ending, stdout } = await check(device, { issuer: own.issuer.origin })
    await own.close()
    expect([ending, stdout]).toEqual([1, expect.stringContaining('× a replay of a key deletes the device')])
    expect(stdout).toMatch(/Delete the client device:check-[0-9a-f]{12}: the checks have made it\./)
  })

  it('revokes the keys of the run even if it is interrupted', async () => {
    const events = work.issuer.events.length
    const client = [
      '--client-id',
      'fleet',
      '--secret-env',
      'SECRET',
      '--scope',
      'provision:token devices:read',
    ]
    const ended = await run(['check', work.issuer.origin, ...client, '--only', 'expiry', '--wait', '60'], {
      env: { SECRET },
      onStart: (child) => {
        child.stdin?.end()
        let issued = 0
        work.issuer.keys.on('key.issued', () => {
          issued += 1
          // Then the command waits until the third key expires.
          if (issued === 3) setTimeout(() => child.kill('SIGTERM'), 500)
        })
      },
    })
    expect(ended.signal).toBe('SIGTERM')
    expect(linesOf(ended.stderr)).toEqual([
      { type: 'error', code: 'interrupted', message: 'Ended by SIGTERM.' },
    ])
    const types = work.issuer.events.slice(events).map(({ type }) => type)
    const ends = types.filter((type) => type === 'key.revoked' || type === 'key.redeemed')
    expect(ends.length).toBe(types.filter((type) => type === 'key.issued').length)
  })
})

const CLIENT = ['--client-id', 'fleet']
const HTTPS = 'https://auth.example.com'

describe('a wrong command line', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['no issuer', CLIENT, /expected ISSUER, got nothing/],
    ['an issuer without TLS', ['http://auth.example.com', ...CLIENT], /ISSUER: expected an https URL/],
    [
      'an issuer with a secret in it',
      ['https://a:b@auth.example.com', ...CLIENT],
      /ISSUER: .*without \?, # and @/,
    ],
    [
      'a route that is no URL and no path',
      [HTTPS, ...CLIENT, '--redeem-url', 'devices'],
      /--redeem-url: expected a path such as \/devices, an https URL, or http:\/\/localhost, got another text/,
    ],
    [
      'a route with a query',
      [HTTPS, ...CLIENT, '--protected-url', '/a?b=c'],
      /--protected-url: .* without \?, # and @/,
    ],
    ['no client', [HTTPS], /--client-id: expected ID, got nothing/],
    [
      'a secret as an option',
      [HTTPS, ...CLIENT, '--secret', 'a-secret'],
      /unknown option --secret; did you mean/,
    ],
    [
      'two authorities',
      [HTTPS, ...CLIENT, '--ca-file', 'a', '--ca-sha256', 'b'],
      /either --ca-file or --ca-sha256/,
    ],
    ['a file without certificates', [HTTPS, ...CLIENT, '--ca-file', __filename], /expected PEM certificates/],
    ['a missing file', [HTTPS, ...CLIENT, '--ca-file', '/nowhere'], /cannot read \/nowhere \(ENOENT\)/],
    ['a wrong fingerprint', [HTTPS, ...CLIENT, '--ca-sha256', 'abc'], /expected 64 hex digits/],
    [
      'a wrong port',
      [HTTPS, ...CLIENT, '--http-port', '99999'],
      /--http-port: expected a number up to 65535/,
    ],
    ['a body that is no JSON', [HTTPS, ...CLIENT, '--redeem-body', '{'], /--redeem-body: expected JSON/],
    ['no secret and no terminal', [HTTPS, ...CLIENT], /--secret-file or --secret-env with it, or a terminal/],
  ])('with %s exits with 2', async (_, arguments_, message) => {
    const { ending, stdout, stderr } = await runHere(['check', ...arguments_])
    expect([ending, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('a-secret')
  })
})

describe('docs/reference/checks.md', () => {
  it('has a section for each check of a deployment', () => {
    const page = readFileSync('docs/reference/checks.md', 'utf8')
    const sections = page.split(/^##+ /m)
    const of = (id: string) => sections.find((section) => section.startsWith(`${id}\n`))
    const isComplete = ({ id, title, fix }: (typeof DEPLOYMENT_CHECKS)[number]) => {
      return [`**Expected:** ${title}`, '**Cause:**', `**Fix:** ${fix}\n`].every((part) =>
        of(id)?.includes(part),
      )
    }
    expect(DEPLOYMENT_CHECKS.filter((one) => !isComplete(one)).map(({ id }) => id)).toEqual([])
  })
})
