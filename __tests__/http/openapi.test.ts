import { join } from 'node:path'
import { REASONS } from '../../lib/base/errors.js'
import { ENDPOINTS } from '../../lib/http/endpoints.js'
import { memoryStore } from '../../lib/index.js'
import { bindingBody } from '../support/binding.js'
import { readDescription } from '../support/openapi.js'
import { prover } from '../support/prover.js'
import { pathOf, REGISTERING, type Registered } from '../support/registering.js'
import { EXCHANGE, JWT_TYPE, obtainKey, send } from '../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../support/server.js'

const description = readDescription(join(__dirname, '../../lib/http/openapi.json'))

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'
const AS_CLIENT = { Authorization: `Basic ${btoa(`${CLIENT}:${SECRET}`)}` }
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

interface Call {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  readonly json?: unknown
  /** Whether the body differs from the description on purpose. */
  readonly isWrong?: boolean
}

/** Sends a request, and checks its body and the answer with the description. Returns the answer. */
async function call(
  server: RunningServer,
  operation: string,
  { path, headers = {}, form, json, isWrong = false }: Call = {},
) {
  const [method = '', template = ''] = operation.split(' ')
  const mediaType = form === undefined ? JSON_TYPE : FORM
  const body = form ?? json
  const faults = body === undefined ? [] : description.faultsOf({ operation, mediaType, value: body })
  expect([operation, faults.length > 0 && faults]).toEqual([operation, isWrong && faults])
  const request = send(server, method.toLowerCase() as 'get', path ?? template).set(headers)
  const text = form === undefined ? JSON.stringify(json) : String(new URLSearchParams(form))
  const answer = await (body === undefined ? request : request.type(mediaType).send(text))
  expectDescribed(operation, answer)
  return answer
}

function expectDescribed(
  operation: string,
  { status, text, headers }: { status: number; text: string; headers: Record<string, string> },
) {
  const value = text === '' ? undefined : JSON.parse(text)
  const mediaType = headers['content-type']?.replace(/;.*/, '')
  const faults = description.faultsOf({ operation, status, value, ...(mediaType && { mediaType }) })
  expect([operation, status, faults]).toEqual([operation, status, []])
}

describe('the OpenAPI description of the endpoints', () => {
  it('passes the recommended rules of a linter', async () => {
    expect(await description.lint()).toEqual([])
  })

  it('has the paths that a server mounts', () => {
    const mounted = Object.values(ENDPOINTS).map(
      ({ method, path }) => `${method} /oauth${path.replace(/:(\w+)/g, '{$1}')}`,
    )
    const documents = ['authorization-server', 'protected-resource'].map(
      (name) => `GET /.well-known/oauth-${name}`,
    )
    expect([...description.operations].sort()).toEqual([...mounted, ...documents].sort())
  })

  it('describes every member, and names every error', () => {
    expect(description.undescribed()).toEqual([])
    const { Refusal } = description.document.components.schemas as {
      Refusal: { properties: { error: { enum: string[] } } }
    }
    expect(Refusal.properties.error.enum.sort()).toEqual([...new Set(Object.values(REASONS))].sort())
  })
})

describe('the requests and the answers', () => {
  let server: RunningServer

  beforeAll(async () => {
    server = await startServer({
      options: {
        staging: true,
        dpop: { nonceSecret: 'n'.repeat(40) },
        docs: { url: 'https://docs.example.com/' },
      },
    })
  })

  afterAll(() => server.close())

  it('of the documents are as described', async () => {
    for (const operation of description.operations.filter((one) => /well-known|jwks/.test(one)))
      expect((await call(server, operation)).status).toBe(200)
  })

  it('of the token endpoint are as described', async () => {
    const operation = 'POST /oauth/token'
    const { prove } = prover()
    const terms = {
      scope: 'provision:token devices:read',
      requested_expiry: '60',
      requested_subject: 'device:1',
    }
    const ask = { form: { grant_type: 'client_credentials', ...terms } }
    const proof = (nonce?: string) => ({
      DPoP: prove('POST', `${ISSUER}/oauth/token`, undefined, nonce ? { nonce } : {}),
    })
    const challenged = await call(server, operation, { ...ask, headers: { ...AS_CLIENT, ...proof() } })
    expect(challenged.body.error).toBe('use_dpop_nonce')
    const nonce = challenged.headers['dpop-nonce']
    const { body: bound } = await call(server, operation, {
      ...ask,
      headers: { ...AS_CLIENT, ...proof(nonce) },
    })
    const exchange = { grant_type: EXCHANGE, subject_token: bound.access_token, subject_token_type: JWT_TYPE }
    const { body: token } = await call(server, operation, { form: exchange, headers: proof(nonce) })
    expect([bound.token_type, token.token_type]).toEqual(['DPoP', 'DPoP'])
    const posted = { client_id: CLIENT, client_secret: SECRET }
    expect((await call(server, operation, { form: { ...ask.form, ...posted } })).status).toBe(200)

    expect((await call(server, operation, { form: exchange })).status).toBe(400)
    expect((await call(server, operation, ask)).status).toBe(401)
    const wrong = { headers: AS_CLIENT, isWrong: true }
    expect((await call(server, operation, { ...wrong, form: { grant_type: 'password' } })).status).toBe(400)
    const much = { ...ask.form, requested_expiry: 'long' }
    expect((await call(server, operation, { ...wrong, form: much })).status).toBe(400)
  })

  it('of introspection and revocation are as described', async () => {
    const key = await obtainKey(server, { scope: 'provision:token devices:read' })
    const exchange = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
    const named = (token: string) => ({
      headers: AS_CLIENT,
      form: { token, token_type_hint: 'access_token' },
    })
    const asked = await call(server, 'POST /oauth/introspect', named(key))
    const { body } = await call(server, 'POST /oauth/token', { form: exchange })
    const exchanged = await call(server, 'POST /oauth/introspect', named(body.access_token))
    const unknown = await call(server, 'POST /oauth/introspect', named('nonsense'))
    expect([asked, exchanged, unknown].map((one) => one.body.active)).toEqual([true, true, false])
    expect((await call(server, 'POST /oauth/revoke', named(body.access_token))).status).toBe(200)
    for (const operation of ['POST /oauth/introspect', 'POST /oauth/revoke']) {
      expect((await call(server, operation, { form: { token: key } })).status).toBe(401)
      expect((await call(server, operation, { headers: AS_CLIENT, form: {}, isWrong: true })).status).toBe(
        400,
      )
    }
  })

  it('of a preflight are as described', async () => {
    const operation = 'POST /oauth/preflight'
    const form = { token: await obtainKey(server), scope: 'devices:read', action: 'route' }
    const planned = await call(server, operation, { headers: AS_CLIENT, form })
    const other = await call(server, operation, { headers: AS_CLIENT, form: { token: 'nonsense' } })
    expect([planned.status, planned.body.passed, other.body.passed]).toEqual([200, true, false])
    expect((await call(server, operation, { form })).status).toBe(401)
    const wrong = { headers: AS_CLIENT, form: { ...form, action: 'steal' }, isWrong: true }
    expect((await call(server, operation, wrong)).status).toBe(400)
  })

  it('of reports of leaked keys are as described', async () => {
    const operation = 'POST /oauth/leaked'
    const reports: readonly Call[] = [
      { form: { token: 'nonsense' } },
      { json: { token: 'nonsense', type: 'key' } },
      { json: [{ token: 'nonsense' }] },
    ]
    for (const report of reports) expect((await call(server, operation, report)).status).toBe(202)
    for (const json of [{}, [], [{ token: 7 }], Array.from({ length: 21 }, () => ({ token: 'x' }))])
      expect((await call(server, operation, { json, isWrong: true })).status).toBe(400)
  })

  it('of bindings are as described', async () => {
    const key = await obtainKey(server, { scope: 'provision:bind' })
    const bind = { headers: bearer(key), json: bindingBody(key) }
    const { status, body } = await call(server, 'POST /oauth/bind', bind)
    const { body: listed } = await call(server, 'POST /oauth/bindings', { headers: AS_CLIENT })
    expect([status, listed.bindings]).toEqual([
      201,
      [expect.objectContaining({ binding_id: body.binding_id })],
    ])
    const reference = { headers: AS_CLIENT, form: { binding_id: body.binding_id } }
    expect((await call(server, 'POST /oauth/bindings/revoke', reference)).status).toBe(200)

    expect((await call(server, 'POST /oauth/bind', { json: bindingBody(key) })).status).toBe(401)
    const half = {
      headers: bearer(await obtainKey(server, { scope: 'provision:bind' })),
      json: { proof: 'x' },
    }
    expect((await call(server, 'POST /oauth/bind', { ...half, isWrong: true })).status).toBe(400)
    expect((await call(server, 'POST /oauth/bindings', {})).status).toBe(401)
    const nothing = { headers: AS_CLIENT, form: {}, isWrong: true }
    expect((await call(server, 'POST /oauth/bindings/revoke', nothing)).status).toBe(400)
    const weak = { headers: bearer(await obtainKey(server)), json: bindingBody(key) }
    expect((await call(server, 'POST /oauth/bind', weak)).status).toBe(403)
  })

  it('of registrations are as described', async () => {
    const register = async (json: object, isWrong = false) => {
      const key = await obtainKey(server, { scope: REGISTERING })
      return call(server, 'POST /oauth/register', { headers: bearer(key), json, isWrong })
    }
    const names = {
      client_name: 'Sensor',
      'client_name#de': 'Fühler',
      contacts: ['a@example.com'],
      unknown: 1,
    }
    const { status, body } = await register({ ...names, scope: 'devices:read' })
    const client = body as Registered
    const { client_id } = client
    const own = { path: pathOf(client), headers: bearer(client.registration_access_token) }
    const read = await call(server, 'GET /oauth/register/{client_id}', own)
    const change = { ...own, json: { ...names, client_id } }
    const updated = await call(server, 'PUT /oauth/register/{client_id}', change)
    const wrong = { ...change, json: { client_name: 'Sensor' }, isWrong: true }
    const refused = await call(server, 'PUT /oauth/register/{client_id}', wrong)
    const deleted = await call(server, 'DELETE /oauth/register/{client_id}', own)
    expect([status, read.status, updated.status, refused.status, deleted.status]).toEqual([
      201, 200, 200, 400, 204,
    ])
    for (const operation of description.operations.filter((one) => one.includes('{client_id}'))) {
      const json = operation.startsWith('PUT') ? { json: { client_id } } : {}
      expect((await call(server, operation, { ...own, ...json })).status).toBe(401)
    }
    expect((await register({ client_name: 7 }, true)).body.error).toBe('invalid_client_metadata')
    expect((await register({ redirect_uris: ['http://a'] })).body.error).toBe('invalid_redirect_uri')
  })

  it('that every endpoint refuses are as described', async () => {
    const port = await server.openHttp()
    for (const operation of description.operations) {
      const [method = '', template = ''] = operation.split(' ')
      const path = template.replace('{client_id}', 'x')
      const answers: [
        status: number,
        answer: { status: number; text: string; headers: Record<string, string> },
      ][] = []
      const plain = await fetch(`http://localhost:${port}${path}`, { method })
      answers.push([
        403,
        { status: plain.status, text: await plain.text(), headers: Object.fromEntries(plain.headers) },
      ])
      const request = (to: string) => send(server, method.toLowerCase() as 'get', to)
      answers.push([400, await request(`${path}?access_token=x`)])
      answers.push([
        405,
        await send(server, method === 'PUT' ? 'post' : path.endsWith('/x') ? 'post' : 'delete', path),
      ])
      const takesBody = ['POST', 'PUT'].includes(method)
      if (takesBody) answers.push([415, await request(path).type('text/plain').send('x')])
      const long = request(path).type(path.includes('register') || path.endsWith('bind') ? 'json' : 'form')
      if (takesBody) answers.push([413, await long.send('x'.repeat(33_000))])
      for (const [status, answer] of answers) {
        expect([operation, answer.status]).toEqual([operation, status])
        expectDescribed(operation, answer)
      }
    }
  })

  it('of a server that is full are as described', async () => {
    const rateLimit = { token: { limit: 2 } }
    const full = await startServer({ options: { store: memoryStore({ maxKeys: 1 }), rateLimit } })
    const ask = { headers: AS_CLIENT, form: { grant_type: 'client_credentials' } }
    const statuses = []
    for (let count = 0; count < 3; count += 1)
      statuses.push((await call(full, 'POST /oauth/token', ask)).status)
    await full.close()
    expect(statuses).toEqual([200, 503, 429])
  })
})
