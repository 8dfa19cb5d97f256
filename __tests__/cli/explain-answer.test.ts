import type { CheckResult } from '../../lib/checks/check.js'
import { clientKey } from '../support/client-assertion.js'
import { signProof } from '../support/proof.js'
import { EXCHANGE, JWT_TYPE } from '../support/requests.js'
import { SECRET } from '../support/server.js'
import { openWorkplace, runHere, type Workplace } from './command-line.js'

let place: Workplace

beforeAll(async () => {
  place = await openWorkplace()
})

afterAll(() => place?.close())

/** Explains a text, and answers the exit code, the sentence at the end and the results. */
async function explain(text: string, ...options: readonly string[]) {
  const file = place.file('dump', text)
  const { ending, stdout, stderr } = await runHere(['explain', file, '--json', ...options])
  expect(stderr).toBe('')
  const { checks } = JSON.parse(stdout) as { checks: CheckResult[] }
  const of = (id: string) => checks.find((check) => check.id === id)
  return { ending, stdout, checks, of, faults: checks.filter(({ outcome }) => outcome === 'failed') }
}

interface Sent {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

/** What `curl -v -X POST ... > request.txt 2>&1` and `curl -i ... > answer.txt` write. */
async function curl({ path, headers = {}, form }: Sent) {
  const type = form && { 'Content-Type': 'application/x-www-form-urlencoded' }
  const sent = { Host: new URL(place.issuer.origin).host, ...headers, ...type }
  const response = await fetch(`${place.issuer.origin}${path}`, {
    method: 'POST',
    headers: { ...headers, ...type },
    ...(form && { body: new URLSearchParams(form).toString() }),
  })
  const body = await response.text()
  const status = `HTTP/1.1 ${response.status} ${response.statusText}`
  const answer = [status, ...[...response.headers].map(([name, value]) => `${name}: ${value}`), '']
  const request = [`POST ${path} HTTP/1.1`, ...Object.entries(sent).map((pair) => pair.join(': ')), '']
  const verbose = [
    '  % Total    % Received % Xferd\n\r  0     0    0     0*   Trying 127.0.0.1:3000...',
    '* Connected to localhost (127.0.0.1) port 3000 (#0)',
    ...request.map((line) => `> ${line}\r`),
    ...answer.map((line) => `< ${line}\r`),
    `{ [${body.length} bytes data]\n\r100    92    0    92`,
    '* Connection #0 to host localhost left intact',
    body,
  ].join('\n')
  return { verbose, included: [...answer, body].join('\r\n') }
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })
const basic = (secret: string) => ({ Authorization: `Basic ${btoa(`fleet:${secret}`)}` })

/** A request to the redeeming route with a key that was redeemed before. */
async function presentAgain() {
  const key = await place.keyFor('device:1', 'devices:create')
  const request = { path: '/devices', headers: bearer(key) }
  const first = await curl(request)
  return { key, first, second: await curl(request) }
}

describe('explain reads the answer of the server', () => {
  it('in the output of curl -v, and fails for a redeemed key', async () => {
    const { key, first, second } = await presentAgain()
    expect((await explain(first.verbose)).of('answer')).toMatchObject({
      outcome: 'passed',
      actual: 'status 201',
    })
    const { ending, faults, stdout } = await explain(second.verbose)
    expect(ending).toBe(1)
    expect(faults).toEqual([
      expect.objectContaining({
        id: 'answer',
        actual: expect.stringMatching(/^401 invalid_token: The key has been redeemed[;.] .*Get a new key\.$/),
        section: 'invalid_token',
        fix: expect.stringContaining('Read the section invalid_token of Troubleshooting.'),
      }),
    ])
    expect(stdout).not.toContain(key.split('.')[1])
  })

  it('in the output of curl -i, which has no request', async () => {
    const { second } = await presentAgain()
    const { ending, faults, of } = await explain(second.included)
    expect([ending, faults.map(({ id }) => id)]).toEqual([1, ['answer']])
    expect(of('header')?.reason).toBe('the text has an answer of the server, but no request and no key')
    expect(of('scope')?.reason).toBe(of('header')?.reason)
  })

  it('after a request as raw HTTP, with the body of the request apart', async () => {
    const key = await place.keyFor('device:1', 'devices:create')
    const request = `POST /oauth/token HTTP/1.1\nHost: a.example\nContent-Type: application/x-www-form-urlencoded\n\n`
    const { faults, of } = await explain(`${request}subject_token=${key}\n\nHTTP/1.1 503 Down\n\n<html>`)
    expect(of('form')?.outcome).toBe('passed')
    expect(faults).toEqual([expect.objectContaining({ id: 'answer', actual: '503' })])
    expect(faults[0]?.fix).toContain('no OAuth error')
  })

  it.each([
    ['the last one of several', 'HTTP/1.1 401 No\n\nHTTP/1.1 100 Continue\n\nHTTP/2 204\n', 'passed'],
    ['a redirect, which decides nothing', 'HTTP/1.1 302 Found\nLocation: /login\n', 'skipped'],
  ])('that is %s', async (_, text, outcome) => {
    expect((await explain(text)).of('answer')?.outcome).toBe(outcome)
  })

  const REFUSALS: readonly [title: string, text: string, actual: string, section: string][] = [
    ['a body that is not JSON', 'HTTP/1.1 502 Bad Gateway\n\n<html>{</html>', '502', ''],
    [
      'a body over several lines',
      'HTTP/1.1 400\n\n{\n "error": "invalid_scope"\n}\n',
      '400 invalid_scope',
      'invalid_scope',
    ],
    ['an unknown error', 'HTTP/1.1 400\n\n{"error":"login_required"}', '400 login_required', ''],
    [
      'an error only in the challenge',
      'HTTP/1.1 403 Forbidden\nWWW-Authenticate: DPoP algs="ES256", error="insufficient_scope", error_description="It lacks a."',
      '403 insufficient_scope: It lacks a.',
      'insufficient_scope',
    ],
    [
      'a challenge without an error',
      'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer realm="a"\n\n{"error_description":"Present it."}',
      '401: Present it.',
      'credentials_missing',
    ],
    [
      'a long error code, which is no secret',
      'HTTP/1.1 400 Bad Request\n\n{"error":"unapproved_software_statement"}',
      '400 unapproved_software_statement',
      'unapproved_software_statement',
    ],
    [
      'a link to the reason',
      'HTTP/1.1 400\n\n{"error":"invalid_request","error_uri":"https://a.example/errors#dpop_token_hash_wrong"}',
      '400 invalid_request',
      'dpop_token_hash_wrong',
    ],
  ]

  it.each(REFUSALS)('with %s', async (_, text, actual, section) => {
    const { ending, faults } = await explain(text)
    expect([ending, faults.map((fault) => [fault.actual, fault.section])]).toEqual([1, [[actual, section]]])
    const link = section === '' ? /troubleshooting\.md$/ : new RegExp(`troubleshooting\\.md#${section}$`)
    expect(faults[0]).toMatchObject({ help: expect.stringMatching(link) })
  })

  it('and says that only the server knows the rest, if there is none', async () => {
    const { ending, of } = await explain(await place.keyFor('device:1', 'devices:create'))
    expect([ending, of('answer')?.outcome]).toEqual([0, 'skipped'])
    expect(of('answer')?.reason).toMatch(/only the server knows whether a key was redeemed or revoked$/)
  })

  it('and prints no key, no secret and no control character that the server quotes', async () => {
    const key = await place.keyFor('device:1', 'devices:create')
    const secret = 'a secret, with spaces'
    const description = `\u001b[2J ${key} of ${secret}, ${SECRET}`
    const text = [
      'POST /oauth/token HTTP/1.1',
      `Authorization: Basic ${btoa(`fleet:${secret}`)}`,
      '',
      `client_secret=${SECRET}\n\nHTTP/1.1 400 Bad Request`,
      '',
      JSON.stringify({ error: 'invalid_request', error_description: description }),
    ].join('\n')
    const { ending, stdout } = await runHere(['explain', place.file('dump', text)])
    expect([ending, stdout.replace(/\s+/g, ' ')]).toEqual([
      1,
      expect.stringContaining('400 invalid_request: '),
    ])
    for (const part of [...key.split('.'), secret, SECRET, '\u001b']) expect(stdout).not.toContain(part)
  })
})

describe('explain reads a request for a key', () => {
  const CREDENTIALS = { grant_type: 'client_credentials', scope: 'devices:create' }
  const ASKS = 'the request asks for a key, and presents none'
  const HIDDEN =
    'the request is for the token endpoint, and shows no key to check; curl -v prints no body of a request'

  it('in the output of curl -v, with the answer to a wrong secret', async () => {
    const request = { path: '/oauth/token', headers: basic('wrong'), form: CREDENTIALS }
    const { verbose } = await curl(request)
    const { ending, faults, checks } = await explain(verbose)
    expect(ending).toBe(1)
    expect(faults).toEqual([
      expect.objectContaining({
        id: 'answer',
        actual: expect.stringMatching(/^401 invalid_client: \S/),
        section: 'invalid_client',
      }),
    ])
    const others = checks.filter(({ id }) => id !== 'answer' && id !== 'proof')
    expect([...new Set(others.map(({ reason }) => reason))]).toEqual([HIDDEN])
  })

  it('in raw HTTP, and skips the checks of a key', async () => {
    const text = `POST /oauth/token HTTP/1.1\nHost: a.example\nAuthorization: Basic YTpi\nContent-Type: application/x-www-form-urlencoded\n\n${new URLSearchParams(CREDENTIALS)}\n\nHTTP/1.1 200 OK\n`
    const { ending, checks } = await explain(text)
    expect(ending).toBe(0)
    expect(checks.filter(({ outcome }) => outcome !== 'skipped').map(({ id }) => id)).toEqual(['answer'])
    expect(checks[0]?.reason).toBe(ASKS)
  })

  it.each([
    ['for this request', 'POST', 'passed'],
    ['for another method', 'GET', 'failed'],
  ])('with a DPoP proof %s', async (_, method, outcome) => {
    const proof = signProof(clientKey(), { method, url: 'https://a.example/oauth/token' })
    const { of } = await explain(
      `POST /oauth/token HTTP/1.1\nHost: a.example\nAuthorization: Basic YTpi\nDPoP: ${proof}\n`,
    )
    expect([of('proof')?.outcome, of('form')?.outcome]).toEqual([outcome, 'skipped'])
  })

  it('in a curl command', async () => {
    const { of } = await explain(
      `curl http://localhost:3000/oauth/token -u installer:wrong -d grant_type=client_credentials`,
    )
    expect(of('header')?.reason).toBe(ASKS)
  })

  it('and still checks the key in a token exchange', async () => {
    const key = await place.keyFor('device:1', 'provision:token')
    const form = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
    const head = 'POST /oauth/token HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\n'
    const { ending, of } = await explain(`${head}${new URLSearchParams(form)}`)
    expect([ending, of('claims')?.outcome]).toEqual([0, 'passed'])
    const { of: ofLost } = await explain(`${head}grant_type=${encodeURIComponent(EXCHANGE)}`)
    expect(ofLost('header')?.reason).toBe('the request has a grant_type, but no subject_token with a key')
  })

  it.each([
    ['a route that wants a key', '/devices', 'credentials_missing'],
    ['the token endpoint with a secret in the query', '/oauth/token?client_secret=a', 'token_in_query'],
  ])('but not a Basic header for %s', async (_, path, section) => {
    const { ending, faults } = await explain(
      `POST ${path} HTTP/1.1\nHost: a.example\nAuthorization: Basic YTpi\n`,
    )
    expect([ending, faults.map((fault) => fault.section)]).toEqual([1, [section]])
  })
})
