import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Reason } from '../../lib/base/errors.js'
import { clientKey } from '../support/client-assertion.js'
import { forgeKey, signWith } from '../support/forge.js'
import { signProof } from '../support/proof.js'
import type { Case } from '../support/refusals/case.js'
import { DPOP_CASES } from '../support/refusals/dpop-cases.js'
import { KEY_CASES } from '../support/refusals/key-cases.js'
import { askForKey, obtainKey, send } from '../support/requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer } from '../support/server.js'
import { openWorkplace, run, runHere } from './command-line.js'

let server: RunningServer
let folder: string
const path = (name: string) => join(folder, name)
const READ = { scope: 'devices:read' }
const URL_OF_ROUTE = `${AUDIENCE}/devices`

beforeAll(async () => {
  server = await startServer()
  folder = mkdtempSync(join(tmpdir(), 'explain-'))
  const { body } = await send(server, 'get', '/oauth/jwks')
  writeFileSync(path('jwks.json'), JSON.stringify(body))
  writeFileSync(path('metadata.json'), JSON.stringify({ issuer: ISSUER, jwks_uri: `${ISSUER}/oauth/jwks` }))
})

afterAll(async () => {
  await server?.close()
  if (folder) rmSync(folder, { recursive: true })
})

const known = () => [
  ...['--metadata', path('metadata.json'), '--jwks', path('jwks.json'), '--audience', AUDIENCE],
  ...['--max-lifetime', '900', '--scope', 'devices:read', '--url', URL_OF_ROUTE, '--address', '127.0.0.1'],
]

interface Result {
  readonly id: string
  readonly outcome: string
  readonly section?: string
  readonly actual?: string
  readonly fix: string
  readonly reason?: string
}

/** Explains a text, and answers the exit code and the results. */
async function explain(text: string, ...options: readonly string[]) {
  writeFileSync(path('dump'), text)
  const { ending, stdout, stderr } = await runHere(['explain', path('dump'), '--json', ...options])
  expect(stderr).toBe('')
  const { checks } = JSON.parse(stdout) as { checks: Result[] }
  const faults = checks.filter(({ outcome }) => outcome === 'failed')
  return { ending, stdout, faults, of: (id: string) => checks.find((check) => check.id === id) }
}

const withKey = (key: string, scheme = 'Bearer') =>
  `GET /devices HTTP/1.1\nHost: api.example.com\nAuthorization: ${scheme} ${key}\n`

/** Only the server can know these. */
const OF_STATE: readonly Reason[] = [
  ...(['key_forged', 'key_unknown', 'key_redeemed', 'key_revoked'] as const),
  ...(['dpop_replayed', 'dpop_nonce_wanted', 'too_many_proofs', 'client_locked'] as const),
]

describe('explain finds the reason of the guard', () => {
  /** The last request to the guarded route, as raw HTTP. */
  async function dumpOf({ options, act }: Case): Promise<string | undefined> {
    const own = await startServer({ ...(options && { options }) })
    let dump: string | undefined
    own.https.prependListener('request', ({ method, url, rawHeaders }: IncomingMessage) => {
      if (url !== '/devices') return
      const pairs = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : []))
      dump = [`${method} ${url} HTTP/1.1`, ...pairs, '', ''].join('\r\n')
    })
    try {
      await act(own)
      return dump
    } finally {
      await own.close()
    }
  }

  /** A key that is being redeemed needs a slow route, and its request looks like any other. */
  const cases = [...KEY_CASES, ...DPOP_CASES].filter(({ reason }) => reason !== 'key_redeeming')

  it.each(cases.map((one) => [one.title, one] as const))('for %s', async (_, one) => {
    const dump = await dumpOf(one)
    // Other endpoints do not present a key.
    if (dump === undefined) return
    const { environment } = one.options ?? {}
    const { faults, ending } = await explain(
      dump,
      ...known(),
      ...(environment === undefined ? ['--no-environment'] : ['--environment', environment]),
    )
    const isOfState = OF_STATE.includes(one.reason)
    expect(faults[0]?.section).toBe(isOfState ? undefined : one.reason)
    expect(ending).toBe(isOfState ? 0 : 1)
  })
})

describe('explain reads', () => {
  it('a valid request without a fault, and says that it cannot see a redeemed key', async () => {
    const key = await obtainKey(server, READ)
    const { ending, faults, of } = await explain(withKey(key), ...known())
    expect([ending, faults]).toEqual([0, []])
    expect(of('signature')?.outcome).toBe('passed')
    expect(of('times')?.actual).toMatch(/^it expires in (4 min 5\d s|5 min 0 s), at \d{4}-/)
    expect(of('state')?.reason).toMatch(/^only the server knows whether a key was redeemed or revoked/)
  })

  it.each([
    ['raw HTTP', (key: string) => withKey(key)],
    ['headers alone', (key: string) => `Host: api.example.com\nAuthorization: Bearer ${key}`],
    [
      'curl -v',
      (key: string) =>
        `* Connected\n> GET /devices HTTP/2\n> Authorization: Bearer ${key}\n>\n< HTTP/2 200\n`,
    ],
    ['a curl command', (key: string) => `curl -s \\\n  -H "Authorization: Bearer ${key}" '${URL_OF_ROUTE}'`],
    [
      'a curl command with short options in one word',
      (key: string) => `curl -4sSH "Authorization: Bearer ${key}" -XGET '${URL_OF_ROUTE}'`,
    ],
    [
      'a curl command with a token exchange in several parameters',
      (key: string) =>
        `curl -sd grant_type=urn:x -d 'scope=devices:read' -dsubject_token=${key} https://auth.example.com/oauth/token`,
    ],
    [
      'a curl command as the command check prints it',
      (key: string) =>
        `curl -i -X "POST" "https://auth.example.com/oauth/token" --data-urlencode "grant_type=a&b" --data-urlencode "subject_token=${key}"`,
    ],
    ['a key alone', (key: string) => ` ${key}\n`],
    [
      'a token exchange',
      (key: string) =>
        `POST /oauth/token HTTP/1.1\nHost: auth.example.com\nContent-Type: application/x-www-form-urlencoded\n\nsubject_token=${key}`,
    ],
  ])('%s', async (_, text) => {
    const key = await obtainKey(server, READ)
    const { ending, of } = await explain(text(key), ...known())
    expect([ending, of('claims')?.actual]).toEqual([0, expect.stringContaining('scope devices:read')])
  })

  it('the standard input of the process, without an argument', async () => {
    const key = await obtainKey(server, READ)
    const { code, stdout, stderr } = await run(['explain'], { input: withKey(key) })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('no JWK Set is given, so the signature was NOT checked')
    expect(stdout).not.toContain('eyJ')
  })

  it('an access token, if the route wants one', async () => {
    const key = await obtainKey(server, READ)
    const { faults } = await explain(withKey(key), ...known(), '--kind', 'access-token')
    expect(faults.map(({ section }) => section)).toEqual(['key_type_wrong'])
    expect(faults[0]?.actual).toBe('The token is a provisioning key, and not an access token.')
  })
})

describe('explain describes a header', () => {
  const key = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'
  const CASES: readonly [title: string, header: string, reason: Reason, words: RegExp][] = [
    ['without a scheme', key, 'credentials_missing', /a key without a scheme/],
    ['with another scheme', `Token ${key}`, 'credentials_missing', /its scheme is Token/],
    ['with a scheme that could be a secret', `hunter2 ${key}`, 'credentials_missing', /an unknown scheme/],
    ['with quotes', `Bearer "${key}"`, 'header_malformed', /has quotes/],
    [
      'that is percent-encoded',
      `Bearer ${key.replaceAll('.', '%2E')}`,
      'header_malformed',
      /percent-encoded/,
    ],
    ['with two schemes', `Bearer Bearer ${key}`, 'header_malformed', /two schemes/],
    ['with a colon', `Bearer: ${key}`, 'header_malformed', /punctuation mark/],
    ['without a key', 'Bearer', 'header_malformed', /a scheme without a key/],
    ['with a variable', 'Bearer $KEY', 'header_malformed', /a placeholder/],
    ['with undefined', 'Bearer undefined', 'key_malformed', /a placeholder|has 1 part/],
    ['with a text after the key', `Bearer ${key} x`, 'header_malformed', /a text after it/],
    ['in base64', Buffer.from(`Bearer ${key}`).toString('base64'), 'credentials_missing', /the base64 of/],
    ['with a key in base64', `Bearer ${btoa(key)}`, 'key_malformed', /the base64 of/],
  ]

  it.each(CASES)('%s, with the reason of the guard', async (_, header, reason, words) => {
    const refused = server.events.length
    await send(server, 'get', '/devices').set('Authorization', header)
    expect(server.events.slice(refused)).toContainEqual(
      expect.objectContaining({ type: 'request.refused', reason }),
    )
    const { faults, stdout } = await explain(`GET /devices HTTP/1.1\nAuthorization: ${header}\n`)
    expect(faults[0]?.section).toBe(reason)
    expect(faults[0]?.actual).toMatch(words)
    expect(stdout).not.toMatch(/eyJ|hunter2|c2lnbmF0dXJl/)
  })

  it('with a line break, and goes on to read the key in it', async () => {
    const genuine = await obtainKey(server, READ)
    const broken = `${genuine.slice(0, 76)}\n${genuine.slice(76)}`
    const { faults, of } = await explain(withKey(broken), ...known())
    expect(faults.map(({ section, actual }) => [section, actual])).toEqual([
      ['header_malformed', 'The header Authorization is wrong: it has a line break.'],
    ])
    expect(of('signature')?.outcome).toBe('passed')
  })

  it('with two spaces, which the guard accepts, as a warning', async () => {
    const genuine = await obtainKey(server, READ)
    await send(server, 'get', '/devices').set('Authorization', `Bearer  ${genuine}`).expect(200)
    const { ending, of } = await explain(withKey(` ${genuine}`), ...known())
    expect([ending, of('header')?.outcome]).toEqual([0, 'warning'])
  })
})

describe('explain says in words', () => {
  const now = () => Math.floor(Date.now() / 1000)

  async function faultOf(claims: Record<string, unknown>) {
    const key = forgeKey(await obtainKey(server, READ), { claims })
    return (await explain(withKey(key), ...known())).faults[0]
  }

  it('how long ago the key expired', async () => {
    const fault = await faultOf({ iat: now() - 500, nbf: now() - 500, exp: now() - 200 })
    expect(fault?.actual).toMatch(/^The key expired 3 min 2\d s ago, at .*Z\. It was valid for 5 min 0 s\.$/)
  })

  it('that the key is about to expire', async () => {
    const key = forgeKey(await obtainKey(server, READ), { claims: { exp: now() + 15 } })
    const { of } = await explain(withKey(key), ...known())
    expect(of('times')).toMatchObject({
      outcome: 'warning',
      actual: expect.stringMatching(/^The key expires in 1\d s\.$/),
    })
  })

  it('that a key without a binding needs no proof', async () => {
    const key = await obtainKey(server, READ)
    for (const text of [key, withKey(key)]) {
      const { of } = await explain(text, ...known())
      expect(of('possession')).toMatchObject({
        outcome: 'skipped',
        reason: 'the key is not bound, so the request needs no proof',
      })
    }
  })

  it('that a clock is wrong', async () => {
    const fault = await faultOf({ iat: now() + 90, nbf: now() + 90, exp: now() + 200 })
    expect(fault?.actual).toMatch(
      /^The key was issued 1 min \d+ s in the future\. The clock of the issuer is ahead/,
    )
  })

  it('the audience, and that only the slash at the end is different', async () => {
    const fault = await faultOf({ aud: `${AUDIENCE}/` })
    expect(fault).toMatchObject({
      actual: `The key is for ${AUDIENCE}/.`,
      expected: AUDIENCE,
      fix: expect.stringContaining('the slash at the end'),
    })
  })

  it('the missing scope', async () => {
    const key = await obtainKey(server, { scope: 'devices:create' })
    const { faults } = await explain(withKey(key), ...known())
    expect(faults[0]?.actual).toBe('The key has devices:create, and lacks devices:read.')
  })

  it.each([
    ['an ID token', { typ: 'JWT' }, { nonce: 'n' }, 'an ID token'],
    ['an access token', { typ: 'at+jwt' }, {}, 'an access token'],
    ['a DPoP proof', { typ: 'dpop+jwt' }, {}, 'a DPoP proof'],
  ])('that the text is %s', async (_, header, claims, name) => {
    const token = forgeKey(await obtainKey(server, READ), { header, claims })
    const { faults } = await explain(withKey(token), ...known())
    expect(faults[0]?.actual).toBe(`The token is ${name}, and not a provisioning key.`)
  })

  it('all faults of a proof and a key, and not only the first', async () => {
    const owner = clientKey()
    const target = { method: 'POST', url: `${ISSUER}/oauth/token` }
    const { body } = await askForKey(server, READ).set('DPoP', signProof(owner, target))
    const proof = signProof(clientKey(), { method: 'GET', url: URL_OF_ROUTE }, { token: body.access_token })
    const dump = `${withKey(body.access_token, 'DPoP')}DPoP: ${proof}\n`
    const options = ['--audience', 'https://x.example', '--scope', 'admin', '--url', URL_OF_ROUTE]
    const { faults } = await explain(dump, ...options)
    expect(faults.map(({ section }) => section)).toEqual([
      'audience_wrong',
      'possession_unproven',
      'scope_insufficient',
    ])
  })

  it('that a stranger has signed the key, only if the JWK Set is given', async () => {
    const { privateKey } = clientKey()
    const key = forgeKey(await obtainKey(server, READ), { sign: signWith(privateKey, 'ES256') })
    expect((await explain(withKey(key), ...known())).faults[0]?.section).toBe('signature_wrong')
    const { ending, of } = await explain(withKey(key))
    expect([ending, of('signature')?.reason]).toEqual([0, expect.stringContaining('NOT checked')])
  })
})

describe('explain keeps its output free of secrets', () => {
  it('for a request with a key, a proof and a client secret', async () => {
    const key = await obtainKey(server, READ)
    const proof = signProof(clientKey(), { method: 'GET', url: URL_OF_ROUTE })
    const secret = btoa('fleet:a-secret-of-a-client-0123456789')
    const dump = `${withKey(key)}DPoP: ${proof}\nProxy-Authorization: Basic ${secret}\n`
    writeFileSync(path('dump'), dump)
    for (const format of [[], ['--json'], ['--junit', path('junit.xml')]]) {
      const { stdout, stderr } = await runHere(['explain', path('dump'), ...known(), ...format])
      for (const part of [...key.split('.'), ...proof.split('.'), secret])
        expect(`${stdout}${stderr}`).not.toContain(part)
    }
  })
})

describe('explain refuses in one line', () => {
  const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'

  it.each([
    ['a key as an argument', () => [TOKEN], /^error: argument 1 contains a token\. All users/],
    [
      'the first part of a key as an argument',
      () => [`${TOKEN.split('.')[0]}`],
      /^error: argument 1 contains a token\. All users/,
    ],
    ['a file that is missing', () => ['/nowhere/dump'], /^error: cannot read \/nowhere\/dump \(ENOENT\)/],
    ['an empty file', () => ['/dev/null'], /^error: expected a key or a request, got an empty text/],
    ['an endless file', () => ['/dev/zero'], /^error: cannot read \/dev\/zero \(.* more than 65536 bytes\)/],
    [
      'another kind',
      () => [path('jwks.json'), '--kind', 'id-token'],
      /^error: --kind: expected key or access-token/,
    ],
    ['another time', () => [path('jwks.json'), '--at', 'soon'], /^error: --at: expected a time such as/],
    ['a wrong address', () => [path('jwks.json'), '--address', 'here'], /^error: --address: expected an IP/],
    [
      'a wrong URL',
      () => [path('jwks.json'), '--url', 'here'],
      /^error: --url: expected an http or https URL/,
    ],
    [
      'a lifetime that no deployment has',
      () => [path('jwks.json'), '--max-lifetime', '3601'],
      /^error: --max-lifetime: expected a number of seconds from 1 to 3600, got another text/,
    ],
    [
      'metadata that is no JSON',
      () => [path('jwks.json'), '--metadata', __filename],
      /^error: --metadata: expected a JSON object in/,
    ],
    [
      'metadata of nothing',
      () => [path('jwks.json'), '--metadata', path('jwks.json')],
      /^error: --metadata: expected a JSON object with issuer or resource/,
    ],
    [
      'a JWK Set that is none',
      () => [path('jwks.json'), '--jwks', path('metadata.json')],
      /^error: --jwks: the JWK Set is refused: it is not a JWK Set/,
    ],
    [
      'an issuer that does not answer',
      () => [path('jwks.json'), '--issuer', 'http://localhost:1'],
      /^error: --issuer: cannot read http:\/\/localhost:1\/.* \(the connection failed\)/,
    ],
  ])('%s', async (_, arguments_, message) => {
    const { ending, stdout, stderr } = await runHere(['explain', ...arguments_()])
    expect([ending, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr.split('\n')).toHaveLength(2)
    expect(stderr).not.toContain('eyJ')
  })
})

describe('explain with an issuer', () => {
  it('fetches its metadata and its JWK Set', async () => {
    const place = await openWorkplace()
    try {
      const key = await place.keyFor('device:1', 'devices:read')
      const { of, faults } = await explain(key, '--issuer', place.issuer.origin)
      expect([faults, of('signature')?.outcome, of('issuer')?.outcome]).toEqual([[], 'passed', 'passed'])
    } finally {
      await place.close()
    }
  })
})
