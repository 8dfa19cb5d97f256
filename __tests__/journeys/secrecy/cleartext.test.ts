import express, { type Express, type RequestHandler } from 'express'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { clientKey } from '../../support/client-assertion.js'
import { answerTo, type ExactAnswer, type ExactRequest, exactly, openRequest } from '../../support/exact.js'
import { forgeKey, signedAs } from '../../support/forge.js'
import { signProof } from '../../support/proof.js'
import { refOf, until } from '../../support/redeeming.js'
import { askForKey, EXCHANGE, exchangeKey, JWT_TYPE, obtainKey } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  mountAll,
  type RunningServer,
  SECRET,
  startServer,
} from '../../support/server.js'

/** The usual routes, a route behind enforceHttps(), and one behind each kind of body parser. */
function mount(app: Express, keys: ProvisioningKeys): void {
  app.use('/plain', keys.enforceHttps(), (_req, res) => void res.send('secret'))
  app.use('/parsed/json', express.json(), keys.enforceHttps())
  app.use('/parsed/form', express.urlencoded({ extended: true }), keys.enforceHttps())
  app.use('/parsed/raw', express.raw({ type: () => true }), keys.enforceHttps())
  app.use('/parsed/text', express.text({ type: () => true }), keys.enforceHttps())
  // Body parsers for Express 4 set an empty object for a body of another media type.
  const skip = express.json()
  const skipAsOnExpress4: RequestHandler = (req, res, next) => {
    skip(req, res, (error?: unknown) => {
      req.body ??= {}
      next(error)
    })
  }
  app.use('/parsed/skipped', skipAsOnExpress4, keys.enforceHttps())
  mountAll(app, keys)
}

interface CleartextServer extends RunningServer {
  inClear(wanted: Omit<ExactRequest, 'cleartextPort'>): Promise<ExactAnswer>
}

async function withServer(test: (server: CleartextServer) => Promise<void>): Promise<void> {
  const server = await startServer({ mount })
  const cleartextPort = await server.openHttp()
  const inClear: CleartextServer['inClear'] = (wanted) => exactly(server, { ...wanted, cleartextPort })
  try {
    await test({ ...server, inClear })
  } finally {
    await server.close()
  }
}

const FORM = 'application/x-www-form-urlencoded'
const SCOPE = { scope: 'provision:token devices:read devices:create' }

const PLACES: readonly (readonly [method: string, path: string])[] = [
  ['POST', '/oauth/token'],
  ['POST', '/oauth/bind'],
  ['POST', '/oauth/register'],
  ['POST', '/oauth/introspect'],
  ['POST', '/oauth/revoke'],
  ['GET', '/oauth/jwks'],
  ['DELETE', '/oauth/token'],
  ['GET', '/.well-known/oauth-authorization-server'],
  ['GET', '/.well-known/oauth-protected-resource'],
  ['GET', '/devices'],
  ['POST', '/devices'],
  ['GET', '/plain'],
  ['POST', '/plain/anything'],
]

describe('a request in clear', () => {
  // Other tests cover the advice about proxies.
  beforeEach(() => void jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined))
  afterEach(() => jest.restoreAllMocks())

  test.each(PLACES)('is refused at %s %s, the same to the byte whatever it carried', (method, path) =>
    withServer(async (server) => {
      const genuine = await obtainKey(server, SCOPE)
      const forged = forgeKey(genuine, { sign: signedAs('AAAA') })
      const credentials = [
        {},
        { Authorization: `Bearer ${genuine}` },
        { Authorization: `Bearer ${genuine}` },
        { Authorization: `Bearer ${forged}` },
        { Authorization: 'Bearer garbage' },
        { Authorization: '\xff%%%' },
        { Authorization: `Basic ${Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')}` },
        { Authorization: `Basic ${Buffer.from(`${CLIENT}:wrong`).toString('base64')}` },
        { 'X-Forwarded-Proto': 'https' },
        { Forwarded: 'proto=https' },
        { 'X-Forwarded-Host': 'auth.example.com', 'X-Forwarded-Ssl': 'on' },
      ]
      const answers: object[] = []
      for (const headers of credentials) {
        const { status, statusMessage, rawHeaders, text } = await server.inClear({ method, path, headers })
        const date = rawHeaders.indexOf('Date')
        answers.push({ status, statusMessage, text, headers: rawHeaders.toSpliced(date, 2) })
      }
      expect(answers[0]).toMatchObject({
        status: 403,
        text: '{"error":"invalid_request","error_description":"HTTPS is required."}',
      })
      for (const other of answers) expect(other).toEqual(answers[0])
      expect(JSON.stringify(answers)).not.toContain('X-Powered-By')
    }),
  )

  test('is refused alike with a body of whatever kind, and never redirected', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      const bodies: [string, string][] = [
        [FORM, `grant_type=${EXCHANGE}&subject_token=${key}`],
        [FORM, 'grant_type=%zz'],
        ['application/json', JSON.stringify({ access_token: key })],
        ['application/json', '{"broken'],
        ['text/plain', 'x'.repeat(100_000)],
        ['multipart/form-data', 'x'],
      ]
      const seen = new Set<string>()
      for (const [type, body] of bodies) {
        const headers = { 'Content-Type': type, 'Content-Length': body.length }
        const answer = await server.inClear({ path: '/oauth/token', headers, body })
        expect(answer.headers).not.toHaveProperty('location')
        expect(answer.headers).not.toHaveProperty('strict-transport-security')
        seen.add(JSON.stringify([answer.status, answer.text, Object.keys(answer.headers)]))
      }
      expect([...seen]).toHaveLength(1)
    }))

  const carriers: [string, (key: string) => Omit<ExactRequest, 'cleartextPort'>][] = [
    [
      'the Authorization header',
      (key) => ({ method: 'GET', path: '/devices', headers: { Authorization: `Bearer ${key}` } }),
    ],
    [
      'an Authorization header of another scheme',
      (key) => ({ method: 'GET', path: '/devices', headers: { Authorization: `Token token="${key}"` } }),
    ],
    ['the query', (key) => ({ method: 'GET', path: `/devices?access_token=${key}` })],
    [
      'the query, percent-encoded',
      (key) => ({ method: 'GET', path: `/plain?k=${key.replaceAll('.', '%2E')}` }),
    ],
    [
      'a form',
      (key) => ({
        path: '/oauth/token',
        headers: { 'Content-Type': FORM },
        body: new URLSearchParams({
          grant_type: EXCHANGE,
          resource: AUDIENCE,
          subject_token: key,
          subject_token_type: JWT_TYPE,
        }).toString(),
      }),
    ],
    [
      'JSON',
      (key) => ({
        path: '/oauth/register',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ deep: [{ key }] }),
      }),
    ],
    [
      'JSON that names many hosts before it',
      (key) => ({
        path: '/oauth/register',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({
          uris: ['a', 'b', 'c', 'd', 'e'].map((name) => `https://${name}.example.com/`),
          key,
        }),
      }),
    ],
    [
      'JSON that cannot be parsed',
      (key) => ({
        path: '/oauth/register',
        headers: { 'Content-Type': 'application/json' },
        body: `{"key": "${key}`,
      }),
    ],
    [
      'JSON that the host could not parse',
      (key) => ({
        path: '/parsed/json',
        headers: { 'Content-Type': 'application/json' },
        body: `{"key": "${key}`,
      }),
    ],
    [
      'a form that the body parser of the host has skipped',
      (key) => ({ path: '/parsed/skipped', headers: { 'Content-Type': FORM }, body: `key=${key}` }),
    ],
    ...['json', 'form', 'raw', 'text'].map(
      (kind): [string, (key: string) => Omit<ExactRequest, 'cleartextPort'>] => [
        `a body that the host has parsed (${kind})`,
        (key) => ({
          path: `/parsed/${kind}`,
          headers: { 'Content-Type': kind === 'json' ? 'application/json' : FORM },
          body: kind === 'json' ? JSON.stringify({ key }) : `key=${key}`,
        }),
      ],
    ),
  ]

  test.each(carriers)('loses the key that it carries in %s: it is revoked', (_place, requestWith) =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      expect(await server.inClear(requestWith(key))).toMatchObject({ status: 403 })
      const { jti: keyId } = refOf(key)
      await until(() => server.events.some(({ type }) => type === 'key.exposed'))
      expect(server.events).toContainEqual(
        expect.objectContaining({
          type: 'key.exposed',
          severity: 'high',
          keyId,
          clientId: CLIENT,
          revoked: true,
          address: expect.stringContaining('127.0.0.1'),
        }),
      )
      await exchangeKey(server, key).expect(400)
      expect(server.events.at(-1)).toMatchObject({ reason: 'key_revoked' })
    }),
  )

  test('loses no bound key, of which an observer has no use, but tells of it', () =>
    withServer(async (server) => {
      const [own, at] = [clientKey(), { method: 'POST', url: `${ISSUER}/oauth/token` }]
      const proof = () => signProof(own, at)
      const { body } = await askForKey(server, SCOPE).set('DPoP', proof()).expect(200)
      const exposing = (token: string) =>
        server.inClear({ method: 'GET', path: '/devices', headers: { Authorization: `DPoP ${token}` } })
      await exposing(body.access_token)
      await until(() => server.events.some(({ type }) => type === 'key.exposed'))
      expect(server.events.at(-1)).toMatchObject({ type: 'key.exposed', severity: 'high', revoked: false })
      const exchanged = await exchangeKey(server, body.access_token).set('DPoP', proof()).expect(200)
      await exposing(exchanged.body.access_token)
      await until(() => server.events.some(({ type }) => type === 'token.exposed'))
      expect(server.events.at(-1)).toMatchObject({ type: 'token.exposed', severity: 'high', revoked: false })
    }))

  test('loses no other key: a forged one revokes nothing', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      for (const forged of [
        forgeKey(key, { sign: signedAs('AAAA') }),
        forgeKey(key, { header: { typ: 'JWT' } }),
        forgeKey(key, { claims: { iss: 'https://evil.example.com' } }),
        key.slice(0, -5),
      ]) {
        const headers = { Authorization: `Bearer ${forged}` }
        expect(await server.inClear({ method: 'GET', path: '/devices', headers })).toMatchObject({
          status: 403,
        })
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
      await exchangeKey(server, key).expect(200)
      expect(server.events.filter(({ type }) => type === 'key.exposed')).toEqual([])
    }))

  test('tells of an exposed key that was redeemed already, and revokes nothing', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      await exchangeKey(server, key).expect(200)
      await server.inClear({ method: 'GET', path: '/devices', headers: { Authorization: `Bearer ${key}` } })
      await until(() => server.events.some(({ type }) => type === 'key.exposed'))
      expect(server.events.at(-1)).toMatchObject({ type: 'key.exposed', revoked: false })
    }))

  test('is answered before its body has come', () =>
    withServer(async (server) => {
      const headers = { 'Content-Type': FORM, 'Content-Length': 1000 }
      const sent = openRequest(server, {
        path: '/oauth/token',
        headers,
        cleartextPort: await server.openHttp(),
      })
      const answered = answerTo(sent)
      sent.write('grant_type=')
      expect(await answered).toMatchObject({ status: 403 })
      sent.destroy()
    }))
})
