import { EnvironmentError } from '../../demo-app/environment.js'
import { redaction } from '../../demo-app/tour/redaction.js'
import { wrap } from '../../demo-app/tour/show.js'
import { type Child, ensureBuilt, run, startDemo } from './child.js'

jest.setTimeout(30_000)

function expectNothingSecret(tour: Child, secret: string): void {
  const printed = tour.stdout() + tour.stderr()
  expect(printed).not.toMatch(/eyJ[\w-]+\.[\w-]+/)
  expect(printed).not.toContain(secret)
  expect(printed).not.toContain(Buffer.from(`demo-client:${secret}`).toString('base64'))
}

const SECRET = 'a-secret-for-the-tour'

it('goes through a fresh server, and shows requests, answers and events without a secret in them', async () => {
  await ensureBuilt()
  const tour = run('tour.ts', { PORT: '0', DEMO_CLIENT_SECRET: SECRET })
  expect(await tour.exited).toBe(0)
  expect(tour.stderr()).toBe('')
  expectNothingSecret(tour, SECRET)
  expect(tour.stdout()).toContain('A fresh demo at https://localhost:')
  expect(tour.stdout()).toContain('> Authorization: Bearer <provisioning key 1>')
  expect(tour.stdout()).toContain('"access_token": "<initial access token>"')
  expect(tour.stdout()).toMatch(/\* key\.replayed +key=/)
  expect(tour.stdout()).toContain('All 23 steps went as described.')
  expect(
    tour
      .stdout()
      .split('\n')
      .filter((line) => line.length > 100),
  ).toEqual([])
})

describe('with a demo that runs', () => {
  it('goes through that, more than once', async () => {
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
      expect(tour.stdout()).toContain(`The demo that runs at https://localhost:${port}.`)
      expectNothingSecret(tour, SECRET)
    }
    expect(demo.stdout()).toContain('key.exposed')
    demo.kill('SIGTERM')
    expect(await demo.exited).toBe(0)
  })

  it('says which steps did not go as described, and exits with 1', async () => {
    const demo = await startDemo({ DEMO_CLIENT_SECRET: SECRET })
    const tour = run('tour.ts', {
      DEMO_URL: `https://localhost:${demo.port}`,
      DEMO_CLIENT_SECRET: 'not-that-one',
    })
    expect(await tour.exited).toBe(1)
    expect(tour.stdout()).toContain('NOT as described: expected status 200, got 401')
    expect(tour.stdout()).toContain('23 of 23 steps did not go as described')
    expectNothingSecret(tour, 'not-that-one')
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
  ['https://localhost:1', 'DEMO_URL: no demo answers at https://localhost:1'],
])('refuses DEMO_URL=%s in one line', async (url, message) => {
  await ensureBuilt()
  const { chooseTarget } = await import('../../demo-app/tour/target.js')
  const choice = chooseTarget({ DEMO_URL: url, DEMO_CLIENT_SECRET: SECRET })
  await expect(choice).rejects.toThrow(new EnvironmentError(message))
})

it('wants the secret of the demo at DEMO_URL', async () => {
  await ensureBuilt()
  const tour = run('tour.ts', { DEMO_URL: 'https://localhost:8443' })
  expect(await tour.exited).toBe(1)
  expect(tour.stdout()).toBe('')
  expect(tour.stderr()).toBe(
    'demo: DEMO_CLIENT_SECRET: expected the secret of the demo at DEMO_URL, got none\n',
  )
})

it('redacts what it knows by name, the longest first, and JWTs that nobody expected', () => {
  const memory = redaction()
  memory.keep('short', 'secret')
  memory.keep('long', 'secret-and-more')
  expect(memory.redact('secret-and-more secret eyJhbGciOiJ9.eyJhIjoxfQ.c2ln')).toBe(
    '<long> <short> <unexpected JWT>',
  )
  expect(() => memory.recall('missing')).toThrow('<missing>')
})

it('wraps at spaces, and keeps the margin of what is indented', () => {
  expect(wrap(`  ${'word '.repeat(30)}`.trimEnd(), '      ', '    > ')).toMatch(
    /^ {4}> {3}word[^\n]+\n {8}word/,
  )
  expect(wrap('short', '  ')).toBe('  short')
})
