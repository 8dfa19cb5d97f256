import express, { type Express } from 'express'
import type { ProvisioningKeys } from '../../lib/index.js'
import { type ExactAnswer, exactly } from '../support/exact.js'
import { refOf } from '../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../support/requests.js'
import { CLIENT, mountAll, type RunningServer, SECRET, startServer } from '../support/server.js'

interface ProxiedServer extends RunningServer {
  /** A cleartext request from a proxy on this machine. */
  forwarded(headers?: Record<string, string>, path?: string): Promise<ExactAnswer>
  readonly warnings: unknown[][]
}

type Test = (server: ProxiedServer) => Promise<void>

/** A server with a setting for proxies, and with a route that uses none of our middlewares. */
async function withTrust(trust: unknown, test: Test): Promise<void> {
  const spy = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const mount = (app: Express, keys: ProvisioningKeys) => {
    if (trust !== undefined) app.set('trust proxy', trust)
    app.use('/plain', keys.enforceHttps(), (req, res) => void res.json({ secure: req.secure }))
    mountAll(app, keys)
  }
  const server = await startServer({ mount })
  const cleartextPort = await server.openHttp()
  const forwarded: ProxiedServer['forwarded'] = (headers = {}, path = '/plain') =>
    exactly(server, { method: 'GET', path, headers, cleartextPort })
  try {
    await test({ ...server, forwarded, warnings: spy.mock.calls })
  } finally {
    spy.mockRestore()
    await server.close()
  }
}

const adviceOf = (server: RunningServer) =>
  server.events.filter(({ type }) => type === 'configuration.advised')

const HTTPS = { 'X-Forwarded-Proto': 'https' }
const SENSIBLE = ["app.set('trust proxy', 'loopback')", "app.set('trust proxy', 1)"]

describe('HTTPS behind a proxy', () => {
  test('is not what a client says, where no proxy is trusted', () =>
    withTrust(undefined, async (server) => {
      expect(await server.forwarded(HTTPS)).toMatchObject({ status: 403 })
      expect(await server.forwarded({ Forwarded: 'proto=https' })).toMatchObject({ status: 403 })
      expect(await server.forwarded({ 'X-Forwarded-Ssl': 'on', 'Front-End-Https': 'on' })).toMatchObject({
        status: 403,
      })
      expect(await server.forwarded(HTTPS, '/devices')).toMatchObject({ status: 403 })
      expect(await server.forwarded(HTTPS, '/oauth/jwks')).toMatchObject({ status: 403 })
    }))

  test('is missing if a proxy or developer on this machine sends no header: the warning says what to write', () =>
    withTrust(undefined, async (server) => {
      await server.forwarded({})
      expect(adviceOf(server)).toEqual([])
      const headers = { Authorization: 'Basic YTpi' }
      for (let i = 0; i < 2; i += 1) expect(await server.forwarded(headers)).toMatchObject({ status: 403 })
      const advice = expect.stringMatching(
        /app\.set\('trust proxy', 'loopback'\).*issuer: 'http:\/\/localhost:3000'/,
      )
      expect(adviceOf(server)).toEqual([expect.objectContaining({ advice })])
    }))

  test('is not missing in an app that has served a request over HTTPS, so there is no warning', () =>
    withTrust(undefined, async (server) => {
      await send(server, 'get', '/oauth/jwks').expect(200)
      expect(await server.forwarded({ Authorization: 'Basic YTpi' })).toMatchObject({ status: 403 })
      expect(adviceOf(server)).toEqual([])
    }))

  test('is not what a client says, where another proxy is trusted', () =>
    withTrust('198.51.100.0/24', async (server) => {
      expect(await server.forwarded({ ...HTTPS, 'X-Forwarded-For': '198.51.100.1' })).toMatchObject({
        status: 403,
      })
    }))

  test.each([
    'loopback',
    '127.0.0.1',
    ['127.0.0.0/8', '::1'],
    1,
    (address: string) => address.endsWith('127.0.0.1'),
  ])('is what a trusted proxy says (trust proxy: %p)', (trust) =>
    withTrust(trust, async (server) => {
      const answer = await server.forwarded(HTTPS)
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '{"secure":true}' })
      expect(answer.headers['strict-transport-security']).toMatch(/^max-age=31536000/)
      expect(await server.forwarded({ 'X-Forwarded-Proto': 'http' })).toMatchObject({ status: 403 })
      expect(await server.forwarded({})).toMatchObject({ status: 403 })
      expect(adviceOf(server)).toEqual([])
      expect(server.warnings).toEqual([])
    }),
  )

  test.each([
    'https, http',
    'https,http',
    'http, https',
    'https, http, https',
    'https,',
    ', https',
    'httpsx',
    'wss',
  ])('is refused where a trusted proxy appends to what the client says: %p', (value) =>
    withTrust('loopback', async (server) => {
      expect(await server.forwarded({ 'X-Forwarded-Proto': value })).toMatchObject({ status: 403 })
    }),
  )

  test('is accepted where every proxy on the way says so', () =>
    withTrust('loopback', async (server) => {
      expect(await server.forwarded({ 'X-Forwarded-Proto': 'https, https' })).toMatchObject({ status: 200 })
    }))

  test('takes the address of the client from a trusted proxy alone', async () => {
    const askAt = async (server: ProxiedServer) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      await server.forwarded(
        { ...HTTPS, 'X-Forwarded-For': '203.0.113.9', Authorization: `Bearer ${key}` },
        '/devices',
      )
      return server.events.find(({ type }) => type === 'key.verified' || type === 'request.refused')
    }
    await withTrust('loopback', async (server) => {
      expect(await askAt(server)).toMatchObject({ type: 'key.verified', address: '203.0.113.9' })
    })
    await withTrust(undefined, async (server) => {
      expect(await askAt(server)).toMatchObject({
        reason: 'cleartext',
        address: expect.stringContaining('127.0.0.1'),
      })
    })
  })
})

describe('advice about proxies', () => {
  test('is given once, as an event and as a warning, where a proxy seems to be in front that is not trusted', () =>
    withTrust(undefined, async (server) => {
      for (const path of ['/plain', '/plain', '/devices', '/oauth/jwks', '/oauth/token'])
        await server.forwarded(HTTPS, path)
      expect(adviceOf(server)).toEqual([
        expect.objectContaining({
          severity: 'warning',
          advice: expect.stringContaining('X-Forwarded-Proto'),
        }),
      ])
      const [advised] = adviceOf(server)
      for (const line of SENSIBLE) expect(advised).toMatchObject({ advice: expect.stringContaining(line) })
      expect(server.warnings).toEqual([
        [
          expect.stringContaining(SENSIBLE[0] ?? ''),
          { type: 'ProvisioningKeysWarning', code: 'EPK_TRUST_PROXY' },
        ],
      ])
    }))

  test.each([
    ['true', true],
    ['a function that trusts everyone', () => true],
    ['both halves of IPv4', ['0.0.0.0/1', '128.0.0.0/1']],
    ['half of IPv6', '::/1'],
    ['a thousand and more hops', 2000],
  ])('is given instead of any answer where everyone is trusted: %s', (_title, trust) =>
    withTrust(trust, async (server) => {
      for (const path of ['/devices', '/devices', '/oauth/token', '/plain'])
        expect(await server.forwarded(HTTPS, path)).toMatchObject({
          status: 500,
          text: expect.stringContaining('"error":"server_error"'),
        })
      await askForKey(server).expect(500)
      expect(adviceOf(server)).toHaveLength(1)
      const [advised] = adviceOf(server)
      for (const line of SENSIBLE) expect(advised).toMatchObject({ advice: expect.stringContaining(line) })
      expect(server.warnings).toHaveLength(1)
      expect(server.warnings[0]?.[1]).toMatchObject({ code: 'EPK_TRUST_PROXY' })
    }),
  )

  test('does not hand a key to a stranger where everyone is trusted, and changes nothing', () =>
    withTrust(true, async (server) => {
      const { text } = await server.forwarded({ ...HTTPS, Authorization: 'Bearer x' }, '/devices')
      expect(text).not.toMatch(/trust proxy/)
      expect(server.events.filter(({ type }) => type === 'key.issued')).toEqual([])
    }))
})

describe('Strict-Transport-Security', () => {
  const HSTS = 'max-age=31536000; includeSubDomains'

  test('is on every secure answer, refusals included', () =>
    withTrust(undefined, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const answers = [
        await askForKey(server),
        await askForKey(server, { scope: 'admin' }),
        await askForKey(server, {}, { id: CLIENT, secret: 'wrong-secret' }),
        await exchangeKey(server, 'garbage'),
        await postForm(server, '/oauth/introspect', { token: key }).auth(CLIENT, SECRET),
        await postForm(server, '/oauth/revoke', { token: refOf(key).jti }).auth(CLIENT, SECRET),
        await postForm(server, '/oauth/revoke', {}),
        await send(server, 'post', '/oauth/bind').type('json').send('{"broken'),
        await send(server, 'post', '/oauth/register').send({}),
        await send(server, 'get', '/oauth/jwks'),
        await send(server, 'head', '/oauth/jwks'),
        await send(server, 'put', '/oauth/jwks'),
        await send(server, 'get', '/.well-known/oauth-authorization-server'),
        await send(server, 'get', '/.well-known/oauth-protected-resource/things'),
        await send(server, 'get', '/devices'),
        await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`),
        await send(server, 'post', '/devices').set('Authorization', 'Bearer x'),
        await send(server, 'get', '/plain'),
      ]
      expect(answers.map(({ status, headers }) => [status, headers['strict-transport-security']])).toEqual(
        answers.map(({ status }) => [status, HSTS]),
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 401, 405]))
    }))

  test('is on the answer to a body that the host could not parse', async () => {
    const server = await startServer({
      mount(app, keys) {
        app.use(express.json())
        mountAll(app, keys)
      },
    })
    try {
      const answer = await send(server, 'post', '/devices').type('json').send('{"broken')
      expect([answer.status, answer.headers['strict-transport-security']]).toEqual([400, HSTS])
    } finally {
      await server.close()
    }
  })
})
