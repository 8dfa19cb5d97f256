import { randomBytes } from 'node:crypto'
import express, { type Express } from 'express'
import supertest from 'supertest'
import { parse as parseYaml } from 'yaml'
import * as library from '../../lib/index.js'
import { codeBlocks, codeUnder, DOCUMENTS } from './markdown'
import { runCode } from './run-code'
import { makeSandbox, type Sandbox } from './sandbox'

const REDEEM = 'docs/guides/redeem-in-your-own-route.md'
const ISSUER = 'https://auth.example.com'
const SECRET = randomBytes(32).toString('hex')
const FROM_PROXY = { 'X-Forwarded-Proto': 'https' }

const blocks = DOCUMENTS.flatMap(codeBlocks)
const programs = blocks.filter(({ language }) => language === 'js' || language === 'ts')

/** The code around the pieces of code in the text. */
const SURROUNDINGS = `
declare const app: import('express').Express
declare const keys: import('express-provisioning-keys').ProvisioningKeys
declare function createDevice(owner: string, body: unknown, signal?: AbortSignal): Promise<object | undefined>
declare function isAdministrator(req: import('express').Request): boolean
declare function createDeviceOnce(redemptionId: string, owner: string, body: unknown): Promise<object | undefined>
declare module '@nestjs/core'
declare module 'next'
`

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox.remove())

describe('the code in the documentation', () => {
  it('is in languages that are looked at here', () => {
    const languages = new Set(blocks.map(({ language }) => language))
    expect([...languages].sort()).toEqual(['', 'js', 'json', 'nginx', 'sh', 'text', 'toml', 'ts', 'yaml'])
  })

  it('can be parsed if it is JSON or YAML', () => {
    const parsers: Readonly<Record<string, (code: string) => unknown>> = { json: JSON.parse, yaml: parseYaml }
    for (const { language, code } of blocks) expect(() => parsers[language]?.(code)).not.toThrow()
  })

  it('is accepted by the compiler, which would notice if it were wrong', () => {
    sandbox.write('surroundings.d.ts', SURROUNDINGS)
    // The guide about tests imports the app that it shows first.
    sandbox.write('app.ts', codeUnder('docs/guides/testing.md', 'Prepare your app'))
    // The module that every app of NestJS has.
    sandbox.write('app.module.ts', 'export class AppModule {}')
    for (const [index, { document, heading, language, code }] of programs.entries()) {
      sandbox.write(`block${index}.m${language}`, `// ${document}, ${heading}\n${code}\nexport {}\n`)
    }
    sandbox.write(
      'wrong.mts',
      "import { provisioningKeys } from 'express-provisioning-keys'\nprovisioningKeys({})\n",
    )
    expect(sandbox.typeErrors()).toEqual([
      expect.stringMatching(/^wrong\.mts\(2,18\): error TS\d+: .*ProvisioningOptions/),
    ])
  })
})

/** Makes the function that posts a device with a key. */
function devicePoster(app: Express) {
  return (name: string, presented: string) =>
    supertest(app)
      .post('/devices')
      .set({ ...FROM_PROXY, Authorization: `Bearer ${presented}` })
      .send({ name })
}

describe('the examples for an app', () => {
  it('redeems a key on a route of its own, and releases it when the handler answers 409', async () => {
    const { app, key, run } = makeApp()
    run(codeUnder(REDEEM, 'A handler that writes to res'))
    const post = devicePoster(app)
    const issued = await key('devices:create')
    await post('taken', issued.key).expect(409)
    await post('lamp', issued.key).expect(201, { owner: 'ci-runner', name: 'lamp' })
    await post('lamp', issued.key).expect(401)
  })

  it('redeems a key by a handler that returns its answer, and releases it when that is 409', async () => {
    const { app, key, run } = makeApp()
    run(codeUnder(REDEEM, 'A handler that returns its answer'))
    const post = devicePoster(app)
    const issued = await key('devices:create')
    await post('taken', issued.key).expect(409, { error: 'name_taken' })
    const { body, headers } = await post('lamp', issued.key).expect(201)
    expect(body).toEqual({ id: expect.any(String), owner: 'ci-runner', name: 'lamp' })
    expect(headers.location).toBe(`/devices/${body.id}`)
    await post('lamp', issued.key).expect(401)
  })

  it('adds a member to the identity', async () => {
    const { app, key, run } = makeApp()
    run(codeUnder('docs/reference/middlewares.md', 'The identity of a request'))
    const issued = await key('devices:create')
    const request = supertest(app).get('/whoami').set(FROM_PROXY)
    await request
      .set('Authorization', `Bearer ${issued.key}`)
      .expect(200, { subject: 'ci-runner', tenant: 'acme' })
  })

  it('binds a key', async () => {
    const { events, fetch, key, run } = makeApp()
    const { bindNewKey } = run(codeUnder('docs/guides/binding.md', 'With a proof in the body'), {
      fetch,
    })
    const issued = await key('provision:bind')
    expect(await bindNewKey(ISSUER, issued.key, issued.id)).toMatchObject({ type: 'private' })
    expect(events).toContainEqual(expect.objectContaining({ type: 'client.bound', subject: 'ci-runner' }))
  })

  it('listens to events', async () => {
    const { app, key, run } = makeApp()
    const printed: unknown[] = []
    const console = { log: (line: string) => printed.push(line), error: (line: string) => printed.push(line) }
    run(codeUnder('docs/reference/events.md', 'Events'), { console })
    const issued = await key('provision:token devices:create')
    for (const _time of ['first', 'again']) {
      await supertest(app)
        .post('/oauth/token')
        .set(FROM_PROXY)
        .type('form')
        .send({ grant_type: EXCHANGE, subject_token: issued.key, subject_token_type: JWT_TYPE })
    }
    expect(printed).toContainEqual(expect.stringMatching(`^key ${issued.id} of ci-runner was replayed from`))
    expect(printed).toContainEqual(expect.stringMatching(/^\{"type":"key\.redeemed",.*"severity":"info"/))
  })

  it('names proxies', () => {
    const { app, run } = makeApp()
    run(codeUnder('docs/guides/behind-a-proxy.md', 'Behind a proxy'))
    expect(app.get('trust proxy')).toEqual(['loopback', '10.0.0.0/8'])
  })
})

describe('what the documentation says besides', () => {
  it('getProvisioning() throws where no middleware of ours came before', async () => {
    const { app } = makeApp()
    app.get('/open', (req, res) => void res.json(library.getProvisioning(req)))
    app.use(
      ((error, _req, res, _next) =>
        void res.status(500).json({ name: error.name })) as express.ErrorRequestHandler,
    )
    await supertest(app).get('/open').expect(500, { name: 'ConfigurationError' })
  })

  it('a + in a secret has to be form-encoded before Basic', async () => {
    const secret = `a+b/c=${randomBytes(24).toString('base64')}`
    const { app } = makeApp(secret)
    const ask = (password: string) =>
      supertest(app)
        .post('/oauth/token')
        .set(FROM_PROXY)
        .auth('ci-runner', password)
        .type('form')
        .send({ grant_type: 'client_credentials', scope: 'devices:create' })
    await ask(secret).expect(401)
    await ask(encodeURIComponent(secret)).expect(200)
  })
})

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

interface PageExports {
  bindNewKey(...given: string[]): Promise<unknown>
}

/** The app in which the pieces of code of the text run. */
function makeApp(secret = SECRET) {
  const events: library.ProvisioningEvent[] = []
  const scopes = ['devices:create', 'provision:bind', 'provision:token']
  const keys = library.provisioningKeys({
    issuer: ISSUER,
    audience: 'https://api.example.com',
    signingKeys: library.generateSigningKeys(),
    clients: [{ clientId: 'ci-runner', clientSecret: secret, policy: { scopes } }],
    observer: (event) => events.push(event),
  })
  const app: Express = express()
  app.set('trust proxy', 'loopback')
  app.use(keys.router())

  async function createDevice(owner: string, { name }: { name: string }) {
    return name === 'taken' ? undefined : { owner, name }
  }

  async function createDeviceOnce(id: string, owner: string, body: { name: string }) {
    const device = await createDevice(owner, body)
    return device && { id, ...device }
  }

  return {
    app,
    events,
    run: (code: string, globals: object = {}) =>
      runCode<PageExports>(code, { globals: { app, keys, createDevice, createDeviceOnce, ...globals } }),
    async key(scope: string): Promise<{ key: string; id: string }> {
      const request = supertest(app)
        .post('/oauth/token')
        .set(FROM_PROXY)
        .auth('ci-runner', secret)
        .type('form')
      const { body } = await request.send({ grant_type: 'client_credentials', scope }).expect(200)
      return { key: body.access_token, id: body.key_id }
    },
    /** A `fetch` for which the issuer is this app, behind its proxy. */
    async fetch(url: string, { headers, body }: { headers: Record<string, string>; body: string }) {
      const { status } = await supertest(app)
        .post(url.replace(ISSUER, ''))
        .set({ ...FROM_PROXY, ...headers })
        .send(body)
      return { status }
    },
  }
}
