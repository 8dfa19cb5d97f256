import express, { type Express, type RequestHandler } from 'express'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { type Mount, wholeJourney, withApp } from '../../support/host-app.js'
import { obtainKey, postForm, send } from '../../support/requests.js'
import { CLIENT, SECRET } from '../../support/server.js'

const PARSERS: readonly (readonly [title: string, parsers: readonly RequestHandler[]])[] = [
  ['none', []],
  ['express.json()', [express.json()]],
  ['express.urlencoded({ extended: true })', [express.urlencoded({ extended: true })]],
  ['express.urlencoded({ extended: false })', [express.urlencoded({ extended: false })]],
  ['express.json() and express.urlencoded()', [express.json(), express.urlencoded({ extended: true })]],
  [
    'express.json({ strict: false, type: everything JSON })',
    [express.json({ strict: false, type: ['json', '+json'] })],
  ],
  ['express.raw() for everything', [express.raw({ type: () => true })]],
  ['express.text() for everything', [express.text({ type: () => true })]],
]

describe('router() in an app that parses bodies first', () => {
  test.each(PARSERS)('works behind %s', (_title, parsers) =>
    withApp(
      (app, keys) => {
        for (const parser of parsers) app.use(parser)
        app.use(keys.router(), keys.errorHandler())
      },
      (server) => wholeJourney(server),
    ),
  )

  test.each(PARSERS.slice(1, 5))('refuses a wrong body for the endpoint behind %s', (_title, parsers) =>
    withApp(
      (app, keys) => {
        for (const parser of parsers) app.use(parser)
        app.use(keys.router(), keys.errorHandler())
      },
      async (server) => {
        const post = (path: string) => send(server, 'post', path).auth(CLIENT, SECRET)
        const twice = 'grant_type=client_credentials&scope=devices:read&scope=devices:read'
        await post('/oauth/token').type('form').send(twice).expect(400)
        await post('/oauth/token').type('form').send('grant_type[a]=client_credentials').expect(400)
        await post('/oauth/token').send({ grant_type: 'client_credentials' }).expect(415)
        await post('/oauth/token').expect(400)
        const key = await obtainKey(server, { scope: 'provision:register' })
        const register = () => send(server, 'post', '/oauth/register').set('Authorization', `Bearer ${key}`)
        for (const body of ['', '{"broken', '[]', 'null', '7'])
          await register().type('json').send(body).expect(400)
        await register().type('form').send('client_name=a').expect(415)
        await register().send({}).expect(201)
      },
    ),
  )

  test('answers 500 and names the line to write if a middleware has read the body and kept it', () =>
    withApp(
      (app, keys) => {
        app.use((req, _res, next) => void req.resume().once('end', next))
        app.use(keys.router())
      },
      async (server) => {
        const form = { grant_type: 'client_credentials' }
        await postForm(server, '/oauth/token', form).auth(CLIENT, SECRET).expect(500)
        await send(server, 'post', '/oauth/token').auth(CLIENT, SECRET).type('form').expect(400)
        expect(server.events).toMatchObject([
          {
            reason: 'server_fault',
            detail: expect.stringContaining('Put app.use(keys.router()) before this middleware'),
          },
          { reason: 'parameter_missing' },
        ])
      },
    ))

  test('leaves the bodies of the routes of the host alone', () =>
    withApp(
      (app, keys) => {
        app.use(express.json(), keys.router(), keys.errorHandler())
      },
      async (server) => {
        await send(server, 'post', '/own')
          .send({ a: 1 })
          .expect(200, { got: { a: 1 } })
      },
    ))
})

describe('router() wherever it is mounted', () => {
  test.each<[string, string, Mount]>([
    ['at the root', '/oauth', (app, keys) => void app.use(keys.router())],
    [
      'at the mount path, the metadata at the root',
      '/oauth',
      (app, keys) => void app.use(keys.metadata()).use('/oauth', keys.router()),
    ],
    ['twice', '/oauth', (app, keys) => void app.use(keys.router()).use('/oauth', keys.router())],
    ['inside a router', '/oauth', (app, keys) => void app.use(express.Router().use(keys.router()))],
    [
      'inside a strict router',
      '/oauth',
      (app, keys) => void app.use(express.Router({ strict: true, caseSensitive: true }).use(keys.router())),
    ],
    ['inside an app', '/oauth', (app, keys) => void app.use(express().use(keys.router()))],
  ])('works %s', (_title, mountPath, mount) => withApp(mount, (server) => wholeJourney(server, mountPath)))

  test.each<[string, Mount]>([
    ['at the root', (app, keys) => void app.use(keys.router())],
    ['at the mount path', (app, keys) => void app.use(keys.metadata()).use('/api/v1/keys', keys.router())],
    [
      'in a router for the first part',
      (app, keys) =>
        void app.use(keys.metadata()).use('/api', express.Router().use('/v1/keys', keys.router())),
    ],
    [
      'in an app for the first part',
      (app, keys) => void app.use(keys.metadata()).use('/api', express().use('/v1/keys', keys.router())),
    ],
  ])('works with a mount path of its own, %s', (_title, mount) =>
    withApp(mount, (server) => wholeJourney(server, '/api/v1/keys'), { mountPath: '/api/v1/keys' }),
  )

  test('leaves every other path below the mount path to the host', () =>
    withApp(
      (app, keys) => void app.use(keys.router(), keys.errorHandler()),
      async (server) => {
        for (const path of [
          '/oauth',
          '/oauth/',
          '/oauth/tokens',
          '/oauth/token/',
          '/oauth/token/x',
          '/token',
          '/oauth/oauth/token',
          '/.well-known/openid-configuration',
        ])
          await postForm(server, path, { grant_type: 'client_credentials' }).expect(404, { own: 'not found' })
      },
    ))

  test('serves nothing twice below itself when it is mounted at the mount path', () =>
    withApp(
      (app, keys) => void app.use(keys.metadata()).use('/oauth', keys.router()),
      async (server) => {
        await postForm(server, '/oauth/token', {}).expect(400)
        await postForm(server, '/oauth/oauth/token', {}).expect(404)
      },
    ))
})

describe('a router that is mounted at a wrong path', () => {
  const LINE = 'Write app.use(keys.router())'
  const WRONG: [title: string, mount: Mount, path: string, line: string][] = [
    ['router() below a path', (app, keys) => app.use('/api', keys.router()), '/api/oauth/token', LINE],
    [
      'router() inside a router below a path',
      (app, keys) => app.use('/api', express.Router().use(keys.router())),
      '/api/oauth/token',
      LINE,
    ],
    [
      'router() inside an app inside a router',
      (app, keys) => app.use(express.Router().use('/a', express().use('/b', keys.router()))),
      '/a/b/oauth/token',
      LINE,
    ],
    [
      'router() at the mount path without metadata()',
      (app, keys) => app.use('/oauth', keys.router()),
      '/oauth/token',
      LINE,
    ],
    [
      'issuance() below a path',
      (app, keys) => app.use(keys.metadata()).use('/api', keys.issuance()),
      '/api/oauth/token',
      "set mountPath: '/api/oauth'",
    ],
    [
      'metadata() below a path',
      (app, keys) => app.use('/api', keys.metadata()).use(keys.issuance()),
      '/api/.well-known/oauth-authorization-server',
      'Write app.use(keys.metadata()) without a path',
    ],
  ]

  test.each(WRONG)('answers 500 and names the line to write: %s', (_title, mount, path, line) =>
    withApp(
      (app, keys) => {
        mount(app, keys)
        app.use(keys.errorHandler())
      },
      async (server) => {
        for (let i = 0; i < 2; i += 1) {
          const { body } = await postForm(server, path, { grant_type: 'client_credentials' }).expect(500)
          expect(body).toMatchObject({ error: 'server_error' })
        }
        const advised = server.events.filter(({ type }) => type === 'configuration.advised')
        expect(advised).toEqual([expect.objectContaining({ advice: expect.stringContaining(line) })])
      },
    ),
  )

  test('may be on the way to the mount path', () =>
    withApp(
      (app, keys) => {
        app.use(keys.metadata())
        app.use('/api', keys.issuance(), keys.redemption(), keys.introspection(), keys.revocation())
        app.use('/api', keys.bindings(), keys.jwks())
      },
      (server) => wholeJourney(server, '/api/keys'),
      { mountPath: '/api/keys' },
    ))

  test('lets no client choose the answer by the case of the path', () =>
    withApp(
      (app, keys) => void app.use(keys.metadata()).use('/oauth', keys.router()),
      async (server) => {
        await postForm(server, '/OAuth/token', {}).expect(404)
        expect(server.events).toEqual([])
      },
    ))
})

describe('a middleware that the app passes to Express without a call', () => {
  const UNCALLED: [title: string, mount: (app: Express, keys: ProvisioningKeys) => unknown, line: string][] =
    [
      ['router', (app, keys) => app.use(keys.router), 'Write keys.router()'],
      ['metadata', (app, keys) => app.use(keys.metadata), 'Write keys.metadata()'],
      ['enforceHttps', (app, keys) => app.use(keys.enforceHttps), 'Write keys.enforceHttps()'],
      [
        'securityHeaders',
        (app, keys) => app.use(keys.securityHeaders as never),
        'Write keys.securityHeaders()',
      ],
      ['readiness', (app, keys) => app.use('/oauth/token', keys.readiness), 'Write keys.readiness()'],
      ['errorHandler', (app, keys) => app.use(keys.errorHandler), 'Write keys.errorHandler()'],
      [
        'redeemProvisioningKey',
        (app, keys) => app.post('/oauth/token', keys.redeemProvisioningKey as never),
        "Write keys.redeemProvisioningKey({ scope: 'devices:create' })",
      ],
    ]

  test.each(UNCALLED)('answers 500 and names the call to write: %s', (_title, mount, line) =>
    withApp(
      (app, keys) => {
        const router = express.Router()
        mount(router as Express, keys)
        app.use((req, res, next) => (req.path === '/oauth/token' ? router(req, res, next) : next()))
        app.use(keys.errorHandler())
      },
      async (server) => {
        await postForm(server, '/oauth/token', { grant_type: 'client_credentials' }).expect(500)
        const advised = server.events.filter(({ type }) => type === 'configuration.advised')
        expect(advised).toEqual([expect.objectContaining({ advice: expect.stringContaining(line) })])
      },
    ),
  )
})
