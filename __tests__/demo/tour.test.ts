import { PassThrough } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { EnvironmentError, readEnvironment } from '../../demo-app/environment.js'
import { redaction } from '../../demo-app/requests/redaction.js'
import { isInteractive, pauses } from '../../demo-app/tour/pauses.js'
import { wrap } from '../../demo-app/tour/show.js'
import { itInAll } from '../support/scale.js'
import { type Child, run, startDemo } from './child.js'

jest.setTimeout(60_000)

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
  expect(unwrapped(tour.stdout())).toContain('"access_token": "<initial access token>"')
  expect(tour.stdout()).toMatch(/\* key\.replayed +key=/)
  expect(tour.stdout()).toContain('All 36 steps went as described.')
  expect(tour.stdout()).not.toContain('\x1b')
  expect(
    tour
      .stdout()
      .split('\n')
      .filter((line) => line.length > 100),
  ).toEqual([])
})

/** Joins the lines that are wrapped. */
function unwrapped(text: string): string {
  return text.replace(/\n(?: {6}| {26})(?=\S)/g, ' ')
}

/** The printed steps by number. */
function printedSteps(text: string): (step: number) => string {
  const steps = new Map(
    text.split(/^ {2}(?=\d+ of 36\. )/m).map((step) => [Number.parseInt(step, 10), step] as const),
  )
  return (step) => steps.get(step) ?? ''
}

/** Matches these lines in this order, with any text between them. */
function inThisOrder(...lines: readonly string[]): RegExp {
  const escaped = lines.map((line) => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(escaped.join('[^]*'))
}

const STEPS = 36
const LINES_OF_A_SCREEN = 24

describe('the tour', () => {
  let wrapped: (number: number) => string
  const step = (number: number) => unwrapped(wrapped(number))

  beforeAll(() => {
    wrapped = printedSteps(tour.stdout())
  })

  it('starts with a key and its redemption, and fits one screen for each step', () => {
    expect(step(1)).toMatch(/^1 of 36\. Get a provisioning key\n/)
    expect(step(5)).toMatch(/^5 of 36\. Redeem it\n/)
    for (let number = 1; number <= STEPS; number += 1) {
      const lines = wrapped(number).trimEnd().split('\n')
      expect([number, lines.length]).toEqual([number, Math.min(lines.length, LINES_OF_A_SCREEN)])
    }
  })

  it('has a column of event types and a column of their details', () => {
    const events = tour.stdout().match(/^ {4}\* .*(\n {26}\S.*)*/gm) ?? []
    expect(events.length).toBeGreaterThan(STEPS)
    expect(events.filter((event) => !/^ {4}\* (?=.{19} \S)[\w.]+ +\S/.test(event))).toEqual([])
  })

  it('reads, changes and deletes a registration', () => {
    expect(step(12)).toMatch(
      inThisOrder(
        ...['> GET https', '< 200 OK  { "client_name": "lamp", ... }'],
        ...['> PUT https', '< 200 OK  { "client_name": "desk lamp", ... }', '* client.updated'],
        ...['> DELETE https', '< 204 No Content\n', '* client.deleted'],
      ),
    )
  })

  it('gets a key that is bound by a DPoP proof, which a thief can neither use nor use up', () => {
    expect(step(23)).toMatch(
      inThisOrder('DPoP: <proof by the device, for POST /oauth/token>', '"token_type": "DPoP"'),
    )
    const refused = ['< 401 Unauthorized  { "error": "invalid_token", ... }', '401 possession_unproven']
    expect(step(24)).toMatch(
      inThisOrder(
        ...['> Authorization: DPoP <provisioning key 6>', '> DPoP: <proof by the thief', ...refused],
        ...['> Authorization: Bearer <provisioning key 6>', ...refused],
      ),
    )
    expect(step(25)).toMatch(
      inThisOrder(
        ...['> Authorization: DPoP <provisioning key 6>', '> DPoP: <proof by the device', '< 201 Created'],
        ...['"cnf": {"jkt":', '"binding_id": ', '* client.bound'],
      ),
    )
  })

  it('gets keys and tokens for a device that has a key pair and no secret', () => {
    const [, device = ''] = /"client_id": "(device:\w+)"/.exec(step(25)) ?? []
    expect(step(26)).toContain('client_assertion=<assertion by the device>')
    expect(step(26)).not.toContain('Authorization:')
    expect(step(26)).toMatch(new RegExp(`key\\.issued .* client=${device}$`, 'm'))
    expect(step(27)).toMatch(inThisOrder('subject_token=<provisioning key 7>', '"token_type": "DPoP"'))
    expect(step(28)).toMatch(
      inThisOrder(
        ...['> Authorization: DPoP <access token of the device>', '> DPoP: <proof by the device, for GET'],
        ...['< 200 OK', `"device": "${device}"`, '* token.verified'],
        ...['> Authorization: Bearer <access token of the device>', '< 401 Unauthorized'],
        '* request.refused     401 possession_unproven',
      ),
    )
  })

  it('lists and revokes a binding, after which the device cannot authenticate', () => {
    const [, binding = ''] = /"binding_id": "([\w-]+)"/.exec(step(25)) ?? []
    expect(step(29)).toContain(`"binding_id": "${binding}"`)
    expect(step(30)).toMatch(
      inThisOrder(
        ...[`binding_id=${binding}`, '< 200 OK', '* client.unbound'],
        ...['client_assertion=<assertion by the device>', '< 401 Unauthorized  { "error": "invalid_client"'],
      ),
    )
  })

  it('loses an answer, and gets it again byte for byte with the same key pair', () => {
    const request = ['> Authorization: DPoP <provisioning key 4>', '> DPoP: <proof by the sensor, for POST']
    expect(step(18)).toMatch(
      inThisOrder(
        ...[...request, '< (The tour closed the connection', '* key.redeemed ', '* client.registered '],
        'new=',
      ),
    )
    const [, registered = ''] = / new=([\w-]+)/.exec(step(18)) ?? []
    expect(step(19)).toMatch(
      inThisOrder(
        ...[...request, '< 201 Created', `"client_id": "${registered}"`, '* redemption.repeated key='],
        ...[...request, '< 201 Created  (the same ', ' bytes)', '* redemption.repeated key='],
      ),
    )
    expect(step(19)).not.toContain('client.registered')
    expect(step(20)).toMatch(
      inThisOrder('Basic <the sensor and its secret>', '* token.issued', '< 200 OK', '* token.verified'),
    )
  })

  it('replays a key with its own key pair, which deletes the client that came from it', () => {
    const [, registered = ''] = / new=([\w-]+)/.exec(step(18)) ?? []
    expect(step(21)).toMatch(
      inThisOrder(
        ...['"client_name": "second sensor"', '< 401 Unauthorized'],
        `* client.deleted      client=${registered} by=replay`,
        ...['* key.replayed ', `family=${registered} revoked`, '401 key_redeemed'],
      ),
    )
    expect(step(22)).toMatch(
      inThisOrder(
        ...['> GET https', '< 401 Unauthorized  { "error": "invalid_token"', '401 registration_token_wrong'],
        ...['> POST https', '< 401 Unauthorized  { "error": "invalid_client"', '401 client_unknown'],
        ...['> GET https', '< 401 Unauthorized  { "error": "invalid_token"', '401 token_revoked'],
      ),
    )
  })
})

describe('with a running demo', () => {
  itInAll('uses that demo, more than once', async () => {
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

  itInAll('lists the steps that did not go as described, and exits with 1', async () => {
    const demo = await startDemo({ DEMO_CLIENT_SECRET: SECRET })
    const tour = run('tour.ts', {
      DEMO_URL: `https://localhost:${demo.port}`,
      DEMO_CLIENT_SECRET: 'not-the-secret-of-that-one',
    })
    expect(await tour.exited).toBe(1)
    expect(tour.stdout()).toContain('NOT as described: expected status 200, got 401')
    expect(tour.stdout()).toContain('36 of 36 steps did not go as described')
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
  ['https://localhost:1', 'DEMO_URL: there is no demo at https://localhost:1; start it, or unset DEMO_URL'],
])('rejects DEMO_URL=%s in one line', async (url, message) => {
  const { chooseTarget } = await import('../../demo-app/tour/target.js')
  const choice = chooseTarget({ DEMO_URL: url, DEMO_CLIENT_SECRET: SECRET })
  await expect(choice).rejects.toThrow(new EnvironmentError(message))
})

it.each([
  [{}, []],
  [{ PORT: '0', DEMO_CLIENT_SECRET: SECRET }, []],
  [{ DEMO_CLIENT_SECRET: SECRET }, ['https://localhost:8443']],
  [{ PORT: '3000', DEMO_CLIENT_SECRET: SECRET }, ['https://localhost:3000', 'https://localhost:8443']],
])('with the environment %j looks for a demo at %j', async (env, origins) => {
  const { candidatesOf } = await import('../../demo-app/tour/target.js')
  expect(candidatesOf(readEnvironment(env))).toEqual(origins)
})

it('says what to export, and where it has looked for a demo', async () => {
  const { adviceFor } = await import('../../demo-app/tour/target.js')
  expect(adviceFor([])).toMatch(/export its DEMO_CLIENT_SECRET and its DEMO_URL\.$/)
  expect(adviceFor(['https://localhost:3000', 'https://localhost:8443'])).toMatch(
    /^DEMO_CLIENT_SECRET is set, but no demo answers at https:\/\/localhost:3000 or https:\/\/localhost:8443\. .* DEMO_URL\.$/,
  )
})

itInAll('requires the secret of the demo at DEMO_URL', async () => {
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
  expect(wrap(`  type=${'long'.repeat(30)}`, '      ', '    > ')).toBe(
    `    >   type=\n        ${'long'.repeat(30)}`,
  )
})

describe('the pause between steps', () => {
  const terminal = () => Object.assign(new PassThrough(), { isTTY: true })

  it('waits for Enter if a person reads and can answer, until the input ends', async () => {
    const [input, output] = [terminal(), terminal()]
    const pause = pauses(input, output)
    let isOver = false
    const pausing = pause('Enter? ').then(() => {
      isOver = true
    })
    await setImmediate()
    expect([isOver, String(output.read())]).toEqual([false, '\n  Enter? '])
    input.write('\n')
    await pausing
    input.end()
    await pause('Enter? ')
    output.read()
    await pause('Enter? ')
    expect(output.read()).toBeNull()
  })

  it('is announced only to a person who can answer', () => {
    expect(isInteractive(terminal(), terminal())).toBe(true)
    expect(isInteractive({}, terminal())).toBe(false)
    expect(tour.stdout()).not.toContain('</dev/null')
  })

  it('does not wait in a pipe', async () => {
    for (const [input, output] of [
      [new PassThrough(), terminal()],
      [terminal(), new PassThrough()],
    ] as const) {
      await pauses(input, output)('Enter? ')
      expect(output.read()).toBeNull()
    }
  })
})
