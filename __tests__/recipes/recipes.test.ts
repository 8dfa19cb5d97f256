import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL, itInAll, sampled } from '../support/scale.js'
import { SECRET, startServer } from '../support/server.js'
import { type Fault, openScene, type Scene } from './issuer.js'
import {
  compile,
  type Ended,
  isInstalled,
  LANGUAGES,
  type Language,
  RECIPES,
  removePrograms,
  runRecipe,
} from './languages.js'

/** The recipes of examples/recipes as their users run them. `npm test` runs the one that needs no other language. */

const [shell, ...others] = LANGUAGES
const installed = ALL ? others.filter(isInstalled) : []
const missing = ALL ? others.filter((one) => !installed.includes(one)).map(({ name }) => name) : []
const languages = [...(shell ? [shell] : []), ...installed]

/** The most lines of code, without comments, imports, empty lines and lines that contain only brackets. */
const MOST_LINES: Readonly<Record<string, number>> = {
  'bind.sh': 59,
  'bind.py': 59,
  'bind.go': 119,
  'bind.c': 132,
}

jest.setTimeout(120_000)

beforeAll(() => {
  if (missing.length > 0) process.stdout.write(`Not installed, so not tested: ${missing.join(', ')}\n`)
  for (const language of languages) compile(language)
})

afterAll(removePrograms)

const BIND = 'POST /oauth/bind'
const TOKEN = 'POST /oauth/token'
const METADATA = 'GET /.well-known/oauth-authorization-server'

function expectNoSecret({ stdout, stderr }: Ended): void {
  expect(`${stdout}${stderr}`).not.toContain(SECRET)
  expect(`${stdout}${stderr}`).not.toMatch(/eyJ/)
}

/** One line of at most 300 characters. */
const ONE_LINE = /^.{1,300}\n$/

/** An answer that asks the client to send the request again in one second. */
const later =
  (status: number, error: string): Fault =>
  () => ({ status, headers: { 'Retry-After': '1' }, body: JSON.stringify({ error }) })

const replaced =
  (from: string | RegExp, to: string): Fault =>
  ({ body }) => ({ body: body.replace(from, to) })

const PASSING: readonly (readonly [what: string, request: string, fault: Fault])[] = [
  ['the answer of bind is lost', BIND, () => 'cut'],
  ['the answer with the key is lost', TOKEN, () => 'cut'],
  ['another request is still running (409)', BIND, later(409, 'temporarily_unavailable')],
  ['there are too many requests (429)', TOKEN, later(429, 'slow_down')],
  ['the issuer is down (503)', METADATA, () => ({ status: 503, headers: {}, body: '<html>down</html>' })],
]

const FINAL: readonly (readonly [what: string, request: string, fault: Fault])[] = [
  [
    'the metadata of another issuer',
    METADATA,
    replaced(/"issuer":"[^"]*"/, '"issuer":"https://evil.example"'),
  ],
  [
    'an endpoint elsewhere',
    METADATA,
    replaced(/"token_endpoint":"[^"]*"/, '"token_endpoint":"https://evil.example/"'),
  ],
  ['a redirect', METADATA, () => ({ status: 302, headers: { Location: 'http://localhost:1/' }, body: '' })],
  ['HTML', METADATA, () => ({ headers: { 'Content-Type': 'text/html' }, body: '<html>hello</html>' })],
  ['a key that is not bound', TOKEN, replaced('"token_type":"DPoP"', '"token_type":"Bearer"')],
  ['a key in two lines', TOKEN, replaced('"access_token":"', '"access_token":"a\\r\\nX-Injected: ')],
  [
    'a binding of another key pair',
    BIND,
    replaced(/"jkt":"[^"]*"/, '"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"'),
  ],
]

describe.each(languages)('the recipe in $name', (language: Language) => {
  let scene: Scene

  beforeEach(async () => {
    scene = await openScene()
  })

  afterEach(() => scene.close())

  const run = (env: Readonly<Record<string, string>> = {}) => runRecipe(language, { ...scene.env, ...env })

  async function expectBound(ended: Ended, { issued = 1 } = {}): Promise<void> {
    expect(ended).toEqual({ code: 0, stdout: `bound: see ${scene.env['STATE']}\n`, stderr: '' })
    expect(JSON.parse(readFileSync(scene.env['STATE'] ?? '', 'utf8'))).toMatchObject({
      client_id: 'device:7',
    })
    expect(await scene.issuer.keys.listBindings('device:7')).toHaveLength(1)
    expect(scene.issuer.events.filter(({ type }) => type === 'key.issued')).toHaveLength(issued)
    expect(scene.saved()).not.toMatch(/eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{80}/)
  }

  it('binds a key pair, and sends nothing the second time', async () => {
    await expectBound(await run())
    expect(new Set(Object.values(scene.files()))).toEqual(new Set(['600']))
    const sent = scene.requests.length
    expect(await run()).toMatchObject({ code: 0, stderr: '' })
    expect([sent, scene.requests.length]).toEqual([3, 3])
  })

  for (const [what, request, fault] of PASSING)
    itInAll(`repeats its request if ${what}`, async () => {
      scene.faults[request] = [fault, undefined]
      const ended = await run()
      // The issuer got each request for a key, although the client got another answer.
      await expectBound(ended, { issued: request === TOKEN ? 2 : 1 })
      expect(scene.requests.filter((one) => one === request)).toHaveLength(2)
    })

  itInAll('uses the nonce that the issuer wants, and the time of the issuer', async () => {
    await scene.close()
    const now = () => Date.now() + 120_000
    scene = await openScene({ dpop: { nonceSecret: 'n'.repeat(40) }, now })
    const late: Fault = ({ headers }) => ({ headers: { ...headers, date: new Date(now()).toUTCString() } })
    for (const request of [METADATA, TOKEN, BIND]) scene.faults[request] = [late]
    await expectBound(await run())
    expect(scene.issuer.events.filter(({ type }) => type === 'request.refused')).toMatchObject([
      { reason: 'dpop_nonce_wanted' },
    ])
  })

  itInAll('ends with 75 if the issuer stays down, and continues with the same key later', async () => {
    scene.faults[BIND] = [later(503, 'temporarily_unavailable')]
    const ended = await run({ DEADLINE: '2' })
    expect([ended.code, ended.stdout]).toEqual([75, ''])
    expect(ended.stderr).toMatch(ONE_LINE)
    expectNoSecret(ended)
    expect(Object.keys(scene.files())).toContain('device.json.request')
    expect(new Set(Object.values(scene.files()))).toEqual(new Set(['600']))
    scene.faults[BIND] = []
    await expectBound(await run({ CLIENT_SECRET: 'not-needed' }))
  })

  it.each(sampled(FINAL, () => 'final'))('refuses %s', async (what, request, fault) => {
    scene.faults[request] = [fault]
    const ended = await run()
    // A login page can be gone when the program runs again.
    const code = what === 'a redirect' || what === 'HTML' ? 75 : 1
    expect([ended.code, ended.stdout, scene.requests.at(-1)]).toEqual([code, '', request])
    expect(ended.stderr).toMatch(ONE_LINE)
    expectNoSecret(ended)
  })

  itInAll('prints one line without a secret if the issuer refuses it', async () => {
    const wrong = `${SECRET}-wrong`
    const echo: Fault = ({ body }) => ({ body: body.replace('"error_description":"', `$&${wrong} `) })
    scene.faults[TOKEN] = [echo]
    const ended = await run({ CLIENT_SECRET: wrong })
    expect([ended.code, ended.stdout]).toEqual([1, ''])
    expect(ended.stderr).toMatch(/^bind\S*: \S+\/oauth\/token refused: 401 invalid_client\n$/)
    expectNoSecret(ended)
    expect(await run({ CLIENT_ID: '' })).toMatchObject({ code: 1, stderr: expect.stringMatching(ONE_LINE) })
  })

  itInAll('sends no secret over plain HTTP to another machine', async () => {
    const ended = await run({ ISSUER: scene.origin.replace('localhost', 'localhost.example') })
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(ONE_LINE)])
    expect(scene.requests).toEqual([])
  })

  if (ALL) {
    it('forgets a key that the issuer does not accept any more', async () => {
      const dead: Fault = () => ({ status: 401, headers: {}, body: '{"error":"invalid_token"}' })
      scene.faults[BIND] = [dead, undefined]
      const ended = await run()
      expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/refused: 401 invalid_token\n$/)])
      expect(Object.keys(scene.files())).not.toContain('device.json.request')
    })

    it('binds one key pair if it runs twice at the same time', async () => {
      const ended = await Promise.all([run(), run()])
      expect(ended.map(({ code }) => code)).toEqual([0, 0])
      expect(await scene.issuer.keys.listBindings('device:7')).toHaveLength(1)
    })

    it('trusts the authority that it gets, and no other', async () => {
      const policy = { scopes: ['provision:bind', 'devices:create', 'devices:read'] }
      const server = await startServer({
        optionsAt: (origin) => ({
          issuer: origin,
          audience: origin,
          clients: [
            { clientId: 'fleet', clientSecret: SECRET, policy: { ...policy, subjects: ['device:*'] } },
          ],
          policy,
        }),
        mount: (app, keys) => app.use(keys.router()),
      })
      const authority = `${scene.env['STATE']}.ca`
      writeFileSync(authority, server.cert, { mode: 0o600 })
      const wrong = await run({ ISSUER: server.origin })
      const right = await run({ ISSUER: server.origin, CURL_CA_BUNDLE: authority })
      await server.close()
      expect([wrong.code, wrong.stderr]).toEqual([75, expect.stringMatching(/^bind\S*: cannot trust .+\n$/)])
      expect(right).toMatchObject({ code: 0, stderr: '' })
    })
  }
})

describe('the recipes', () => {
  it.each(LANGUAGES)('are short in $name, and have no long lines', ({ file }) => {
    const lines = readFileSync(join(RECIPES, file), 'utf8').split('\n')
    const isNoCode = /^\s*([#/][^!].*|#!.*|import \(|(import|from|#include)\b.*|"[\w/]+"|[\])};]*)$/
    expect(lines.filter((line) => line.length > 120)).toEqual([])
    expect(lines.filter((line) => !isNoCode.test(line)).length).toBeLessThanOrEqual(MOST_LINES[file] ?? 0)
  })
})
