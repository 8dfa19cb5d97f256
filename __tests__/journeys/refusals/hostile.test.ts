import express, { type Express } from 'express'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { bindingBody } from '../../support/binding.js'
import { answerTo, type ExactAnswer, exactly, openRequest } from '../../support/exact.js'
import {
  askForKey,
  EXCHANGE,
  exchangeKey,
  JWT_TYPE,
  obtainKey,
  postForm,
  send,
} from '../../support/requests.js'
import { AUDIENCE, CLIENT, mountAll, type RunningServer, SECRET, startServer } from '../../support/server.js'

const FORM = 'application/x-www-form-urlencoded'
const BASIC = `Basic ${Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')}`

async function withServer(
  test: (server: RunningServer) => Promise<void>,
  before: (app: Express) => void = () => {},
): Promise<void> {
  const mount = (app: Express, keys: ProvisioningKeys) => {
    before(app)
    mountAll(app, keys)
  }
  const server = await startServer({ mount })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** Posts a body, with a key or as the default client. */
function post(server: RunningServer, path: string, type: string, body: string | Buffer, key?: string) {
  const Authorization = key === undefined ? BASIC : `Bearer ${key}`
  return exactly(server, { path, headers: { 'Content-Type': type, Authorization }, body })
}

const POLLUTING =
  '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"prototype":{"polluted":1}'
const POLLUTING_FORM =
  '__proto__=1&__proto__%5Bpolluted%5D=1&__proto__.polluted=1&constructor%5Bprototype%5D%5Bpolluted%5D=1&toString=1'

const PARSERS: [string, (app: Express) => void][] = [
  ['no parser', () => undefined],
  [
    'express.json() and a simple express.urlencoded()',
    (app) => app.use(express.json(), express.urlencoded({ extended: false })),
  ],
  [
    'express.json() and an extended express.urlencoded()',
    (app) => app.use(express.json(), express.urlencoded({ extended: true })),
  ],
]

describe('a body that wants to pollute prototypes', () => {
  test.each(PARSERS)('does not change Object.prototype at any endpoint, behind %s', (_title, before) =>
    withServer(async (server) => {
      const own = Reflect.ownKeys(Object.prototype)
      const texts = Object.prototype.toString
      const key = await obtainKey(server, { scope: 'provision:bind provision:register devices:read' })
      for (const path of ['token', 'introspect', 'revoke']) {
        const { status } = await post(
          server,
          `/oauth/${path}`,
          FORM,
          `${POLLUTING_FORM}&grant_type=client_credentials`,
        )
        expect(status).toBeGreaterThanOrEqual(200)
        expect(status).toBeLessThan(500)
      }
      const bound = JSON.stringify(bindingBody(key)).replace('{', `{${POLLUTING},`)
      const refused = bound.replace('"kty"', `${POLLUTING},"d":"AAAA","kty"`)
      expect(await post(server, '/oauth/bind', 'application/json', refused, key)).toMatchObject({
        status: 400,
      })
      const metadata = `{${POLLUTING},"client_name":"a","jwks":{"keys":[],${POLLUTING}}}`
      expect(await post(server, '/oauth/register', 'application/json', metadata, key)).toMatchObject({
        status: 400,
      })
      const registered = await post(
        server,
        '/oauth/register',
        'application/json',
        `{${POLLUTING},"client_name":"a"}`,
        key,
      )
      expect(registered.status).toBe(201)
      expect(registered.text).not.toMatch(/polluted|__proto__|constructor/)
      expect(Reflect.ownKeys(Object.prototype)).toEqual(own)
      expect(Object.prototype.toString).toBe(texts)
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    }, before),
  )

  test('does not make a scope, a grant or a client of the names of Object.prototype', () =>
    withServer(async (server) => {
      for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
        await askForKey(server, { scope: name }).expect(400)
        await askForKey(server, { grant_type: name }).expect(400)
        await askForKey(server, { requested_subject: name }).expect(400)
        await askForKey(server, {}, { id: name, secret: SECRET }).expect(401)
        await postForm(server, '/oauth/introspect', { token: name })
          .auth(CLIENT, SECRET)
          .expect(200, { active: false })
        await postForm(server, '/oauth/revoke', { token: name }).auth(CLIENT, SECRET).expect(200)
      }
    }))
})

describe('a text that is not what texts usually are', () => {
  const NESTED = `{"contacts":${'['.repeat(15_000)}${']'.repeat(15_000)}}`
  const DEEP = `${`{"a":`.repeat(5_000)}1${'}'.repeat(5_000)}`

  test.each([
    ['deep lists', NESTED],
    ['deep objects', `{"jwks":{"keys":[${DEEP}]}}`],
    ['deep objects as a key', `{"proof":"x","jwk":${DEEP},"jwks_uri":"x"}`],
    ['a number beyond any', '{"client_name":1e999}'],
    ['a name twice', '{"client_name":"a","client_name":"b","jwks_uri":"x"}'],
    ['a null byte', '{"client_name":"a\\u0000b"}'],
    ['half a surrogate pair', '{"client_name":"\\ud800","jwks_uri":"x"}'],
    ['broken UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d, 0xff])],
    ['a list', '[{"client_name":"a"}]'],
    ['null', 'null'],
    ['nothing', ''],
  ])('is refused as JSON with %s, and spends no key', (_title, body) =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:bind provision:register devices:read' })
      for (const path of ['/oauth/bind', '/oauth/register']) {
        const answer = await post(server, path, 'application/json', body, key)
        expect(answer.status).toBe(400)
        expect(JSON.parse(answer.text)).toEqual({
          error: expect.any(String),
          error_description: expect.any(String),
        })
      }
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
    }),
  )

  test.each([
    ['a null byte', 'a\0b'],
    ['a line break', 'a\r\nSet-Cookie: x=y'],
    ['quotes', '"quoted" \\back\\'],
    ['other letters', 'приложение-ß-测试'],
    ['a reversed text', '\u202egnp.exe'],
    ['a very long text', 'x'.repeat(20_000)],
  ])('is refused in a form with %s, and the answer is plain ASCII', (_title, text) =>
    withServer(async (server) => {
      const answers = [
        await askForKey(server, { scope: text }),
        await askForKey(server, { resource: `https://${text}.example.com/` }),
        await askForKey(server, { resource: text }),
        await askForKey(server, { requested_subject: text }),
        await askForKey(server, { requested_expiry: text }),
        await askForKey(server, { grant_type: text }),
        await postForm(server, '/oauth/token', {
          grant_type: 'client_credentials',
          client_id: text,
          client_secret: text,
        }),
        await exchangeKey(server, text),
        await exchangeKey(server, 'a.b.c', { subject_token_type: text }),
      ]
      for (const { status, body, headers } of answers) {
        expect([400, 401, 413]).toContain(status)
        expect(body.error).toMatch(/^[a-z_]+$/)
        expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,400}$/)
        expect(headers).not.toHaveProperty('set-cookie')
      }
    }),
  )

  test('is refused in a path with null bytes and dots, by the owner of the path', () =>
    withServer(async (server) => {
      for (const path of ['/oauth/token%00', '/oauth/%2e%2e/oauth/token', '/oauth/token;a=b', '/OAuth/token'])
        expect([path, (await exactly(server, { path, headers: { Authorization: BASIC } })).status]).toEqual([
          path,
          404,
        ])
    }))

  test('is refused in a header, however long it is', () =>
    withServer(async (server) => {
      const present = (value: string) =>
        exactly(server, { method: 'GET', path: '/devices', headers: { Authorization: value } })
      expect(await present(`Bearer ${'a'.repeat(15_000)}`)).toMatchObject({ status: 401 })
      expect(await present(`Bearer ${'a.'.repeat(7_500)}`)).toMatchObject({ status: 401 })
      expect(await present(`Basic ${'YTph'.repeat(3_700)}`)).toMatchObject({ status: 401 })
      expect(await present(`Bearer ${' '.repeat(15_000)}x`)).toMatchObject({ status: 401 })
      expect(await present(`${'\xe4'.repeat(15_000)}`)).toMatchObject({ status: 401 })
      expect(await present(`Bearer ${'a'.repeat(17_000)}`)).toMatchObject({ status: 431 })
    }))
})

describe('a body that takes its time', () => {
  const form = `grant_type=${encodeURIComponent(EXCHANGE)}&subject_token_type=${encodeURIComponent(JWT_TYPE)}`

  test('is read to its end, byte by byte', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const sent = openRequest(server, { path: '/oauth/token', headers: { 'Content-Type': FORM } })
      const answered = answerTo(sent)
      const body = Buffer.from(`${form}&subject_token=${key}`)
      const piece = 1 + Math.ceil(body.length / 40)
      for (let at = 0; at < body.length; at += piece) {
        sent.write(body.subarray(at, at + piece))
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      sent.end()
      expect(await answered).toMatchObject({ status: 200 })
    }))

  test('keeps nobody else waiting, and spends nothing when it never ends', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const slow = Array.from({ length: 50 }, () => {
        const headers = { 'Content-Type': FORM, 'Content-Length': 5000 }
        const sent = openRequest(server, { path: '/oauth/token', headers })
        sent.on('error', () => undefined)
        sent.write(`${form}&subject_token=${key}&scope=`)
        return sent
      })
      const others: ExactAnswer[] = []
      for (let i = 0; i < 20; i += 1)
        others.push(await post(server, '/oauth/token', FORM, 'grant_type=client_credentials'))
      expect(others.map(({ status }) => status)).toEqual(Array(20).fill(200))
      for (const sent of slow) sent.destroy()
      await exchangeKey(server, key, { resource: AUDIENCE }).expect(200)
    }))
})
