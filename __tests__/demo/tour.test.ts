import { EnvironmentError } from '../../demo-app/environment.js'
import { redaction } from '../../demo-app/tour/redaction.js'
import { wrap } from '../../demo-app/tour/show.js'
import { type Child, run, startDemo } from './child.js'

jest.setTimeout(30_000)

function expectNothingSecret(tour: Child, secret: string): void {
  const printed = tour.stdout() + tour.stderr()
  expect(printed).not.toMatch(/eyJ[\w-]+\.[\w-]+/)
  expect(printed).not.toContain(secret)
  expect(printed).not.toContain(Buffer.from(`demo-client:${secret}`).toString('base64'))
  // Registration access tokens and client secrets are not JWTs. Their values must be replaced by names.
  expect(printed).not.toMatch(/"\w+_(?:token|secret)":\s+"(?!<)/)
  expect(printed).not.toMatch(
    /> +(?:DPoP: |client_assertion=|subject_token=|token=|Authorization: \w+ )(?!<)/,
  )
}

const SECRET = 'a-secret-of-the-tour-and-of-nobody-else'

/** A tour of a new demo. */
let tour: Child

beforeAll(async () => {
  tour = run('tour.ts', { PORT: '0', DEMO_CLIENT_SECRET: SECRET })
  await tour.exited
})

it('starts a new demo, and prints requests, answers and events without secrets', async () => {
  expect(await tour.exited).toBe(0)
  expect(tour.stderr()).toBe('')
  expectNothingSecret(tour, SECRET)
  expect(tour.stdout()).toContain('Using a new demo at https://localhost:')
  expect(tour.stdout()).toContain('> Authorization: Bearer <provisioning key 1>')
  expect(tour.stdout()).toContain('"access_token": "<initial access token>"')
  expect(tour.stdout()).toMatch(/\* key\.replayed +key=/)
  expect(tour.stdout()).toContain('All 35 steps went as described.')
  expect(tour.stdout()).not.toContain('\x1b')
  expect(
    tour
      .stdout()
      .split('\n')
      .filter((line) => line.length > 100),
  ).toEqual([])
})

/** The printed steps by number. */
function printedSteps(text: string): (step: number) => string {
  const steps = new Map(
    text.split(/^ {2}(?=\d+\. )/m).map((step) => [Number.parseInt(step, 10), step] as const),
  )
  return (step) => steps.get(step) ?? ''
}

/** Matches these lines in this order, with any text between them. */
function inThisOrder(...lines: readonly string[]): RegExp {
  const escaped = lines.map((line) => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(escaped.join('[^]*'))
}

describe('the tour', () => {
  let step: (number: number) => string

  beforeAll(() => {
    step = printedSteps(tour.stdout())
  })

  it('reads, changes and deletes a registration', () => {
    expect(step(12)).toMatch(
      inThisOrder(
        ...['> GET https', '< 200 OK  { "client_name":"lamp", ... }'],
        ...['> PUT https', '< 200 OK  { "client_name":"desk lamp", ... }', '* client.updated'],
        ...['> DELETE https', '< 204 No Content\n', '* client.deleted'],
      ),
    )
  })

  it('gets a key that is bound by a DPoP proof, which a thief can neither use nor use up', () => {
    expect(step(13)).toMatch(
      inThisOrder('DPoP: <proof by the device, for POST /oauth/token>', '"token_type": "DPoP"'),
    )
    const refused = ['< 401 Unauthorized  { "error":"invalid_token", ... }', '401 possession_unproven']
    expect(step(14)).toMatch(
      inThisOrder(
        ...['> Authorization: DPoP <provisioning key 4>', '> DPoP: <proof by the thief', ...refused],
        ...['> Authorization: Bearer <provisioning key 4>', ...refused],
      ),
    )
    expect(step(15)).toMatch(
      inThisOrder(
        ...['> Authorization: DPoP <provisioning key 4>', '> DPoP: <proof by the device', '< 201 Created'],
        ...['"binding_id": ', '"cnf": {"jkt":', '* client.bound'],
      ),
    )
  })

  it('gets keys and tokens for a device that has a key pair and no secret', () => {
    const [, device = ''] = /"client_id": "(device:\w+)"/.exec(step(15)) ?? []
    expect(step(16)).toContain('client_assertion=<assertion by the device>')
    expect(step(16)).not.toContain('Authorization:')
    expect(step(16)).toMatch(new RegExp(`key\\.issued .* client=${device}$`, 'm'))
    expect(step(17)).toMatch(inThisOrder('subject_token=<provisioning key 5>', '"token_type": "DPoP"'))
    expect(step(18)).toMatch(
      inThisOrder(
        ...['> Authorization: DPoP <access token of the device>', '> DPoP: <proof by the device, for GET'],
        ...['< 200 OK', `"device": "${device}"`, '* token.verified'],
        ...['> Authorization: Bearer <access token of the device>', '< 401 Unauthorized'],
        '* request.refused   401 possession_unproven',
      ),
    )
  })

  it('lists and revokes a binding, after which the device cannot authenticate', () => {
    const [, binding = ''] = /"binding_id": "([\w-]+)"/.exec(step(15)) ?? []
    expect(step(19)).toMatch(
      inThisOrder(
        ...[`"binding_id": "${binding}"`, `binding_id=${binding}`, '< 200 OK', '* client.unbound'],
        ...['client_assertion=<assertion by the device>', '< 401 Unauthorized  { "error":"invalid_client"'],
      ),
    )
  })

  it('loses an answer, and gets it again byte for byte with the same key pair', () => {
    const request = ['> Authorization: DPoP <provisioning key 6>', '> DPoP: <proof by the sensor, for POST']
    expect(step(21)).toMatch(
      inThisOrder(
        ...[...request, '< (The tour closed the connection', '* key.redeemed ', '* client.registered '],
        'registered=',
      ),
    )
    const [, registered = ''] = /registered=([\w-]+)/.exec(step(21)) ?? []
    expect(step(22)).toMatch(
      inThisOrder(
        ...[...request, '< 201 Created', `"client_id": "${registered}"`, '* redemption.repeated key='],
        ...[...request, '< 201 Created  (the same ', ' bytes)', '* redemption.repeated key='],
      ),
    )
    expect(step(22)).not.toContain('client.registered')
    expect(step(23)).toMatch(
      inThisOrder('Basic <the sensor and its secret>', '* token.issued', '< 200 OK', '* token.verified'),
    )
  })

  it('replays a key with its own key pair, which deletes the client that came from it', () => {
    const [, registered = ''] = /registered=([\w-]+)/.exec(step(21)) ?? []
    expect(step(24)).toMatch(
      inThisOrder(
        ...['"client_name": "second sensor"', '< 401 Unauthorized'],
        `* client.deleted    client=${registered} by=replay`,
        ...['* key.replayed ', `family=${registered} revoked`, '401 key_redeemed'],
      ),
    )
    expect(step(25)).toMatch(
      inThisOrder(
        ...['> GET https', '< 401 Unauthorized  { "error":"invalid_token"', '401 registration_token_wrong'],
        ...['> POST https', '< 401 Unauthorized  { "error":"invalid_client"', '401 client_unknown'],
        ...['> GET https', '< 401 Unauthorized  { "error":"invalid_token"', '401 token_revoked'],
      ),
    )
  })
})

describe('with a running demo', () => {
  it('uses that demo, more than once', async () => {
    const demo = await startDemo({ DEMO_CLIENT_SECRET: SECRET })
    const { port, httpPort } = demo
    const byPort = { PORT: String(port), HTTP_PORT: String(httpPort), DEMO_CLIENT_SECRET: SECRET }
    const byUrl = {
      DEMO_URL: `https://127.0.0.1:${port}`,
      HTTP_PORT: String(httpPort),
      DEMO_CLIENT_SECRET: SECRET,
    }
    for (const env of [byPort, byUrl]) {
      const tour = run('tour.ts', env)
      expect(await tour.exited).toBe(0)
      expect(tour.stdout()).toContain(`Using the demo that is running at https://localhost:${port}.`)
      expectNothingSecret(tour, SECRET)
    }
    expect(demo.stdout()).toContain('key.exposed')
    demo.kill('SIGTERM')
    expect(await demo.exited).toBe(0)
  })

  it('lists the steps that did not go as described, and exits with 1', async () => {
    const demo = await startDemo({ DEMO_CLIENT_SECRET: SECRET })
    const tour = run('tour.ts', {
      DEMO_URL: `https://localhost:${demo.port}`,
      DEMO_CLIENT_SECRET: 'not-the-secret-of-that-one',
    })
    expect(await tour.exited).toBe(1)
    expect(tour.stdout()).toContain('NOT as described: expected status 200, got 401')
    expect(tour.stdout()).toContain('35 of 35 steps did not go as described')
    expectNothingSecret(tour, 'not-the-secret-of-that-one')
    demo.kill('SIGTERM')
    await demo.exited
  })
})

const URL_EXPECTED = 'DEMO_URL: expected an https URL of this machine, such as https://localhost:8443'

it.each([
  ['http://localhost:8443', URL_EXPECTED],
  ['https://example.com', URL_EXPECTED],
  ['https://localhost:8443/oauth', URL_EXPECTED],
  ['nonsense', URL_EXPECTED],
  ['https://localhost:1', 'DEMO_URL: there is no demo at https://localhost:1'],
])('rejects DEMO_URL=%s in one line', async (url, message) => {
  const { chooseTarget } = await import('../../demo-app/tour/target.js')
  const choice = chooseTarget({ DEMO_URL: url, DEMO_CLIENT_SECRET: SECRET })
  await expect(choice).rejects.toThrow(new EnvironmentError(message))
})

it('requires the secret of the demo at DEMO_URL', async () => {
  const tour = run('tour.ts', { DEMO_URL: 'https://localhost:8443' })
  expect(await tour.exited).toBe(1)
  expect(tour.stdout()).toBe('')
  expect(tour.stderr()).toBe(
    'demo: DEMO_CLIENT_SECRET: expected the secret of the demo at DEMO_URL, got none\n',
  )
})

it('replaces secrets by their names, the longest first, and unexpected JWTs, but no other values', () => {
  const memory = redaction()
  memory.keepSecret('short', 'secret')
  memory.keepSecret('long', 'secret-and-more')
  expect(memory.redact('secret-and-more secret eyJhbGciOiJ9.eyJhIjoxfQ.c2ln')).toBe(
    '<long> <short> <unexpected JWT>',
  )
  memory.keepValue('place', 'here')
  expect(memory.recall('place')).toBe('here')
  expect(memory.redact('here')).toBe('here')
  expect(() => memory.recall('missing')).toThrow('<missing>')
})

it('wraps text at spaces, and keeps its margin', () => {
  expect(wrap(`  ${'word '.repeat(30)}`.trimEnd(), '      ', '    > ')).toMatch(
    /^ {4}> {3}word[^\n]+\n {8}word/,
  )
  expect(wrap('short', '  ')).toBe('  short')
})
