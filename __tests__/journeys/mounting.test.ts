import express, { type Express, type RequestHandler } from 'express'
import type { ProvisioningKeys, ProvisioningOptions } from '../../lib/index.js'
import { bindingBody } from '../support/binding.js'
import { EXCHANGE, exchangeKey, obtainKey, postForm, send } from '../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../support/server.js'

type Mount = (app: Express, keys: ProvisioningKeys) => void

/** An app as someone else has it, with a route and a 404 of its own, and ours in between. */
async function withApp(
  mount: Mount,
  test: (server: RunningServer) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
): Promise<void> {
  const server = await startServer({
    options,
    mount(app, keys) {
      app.get('/health', (_req, res) => void res.send('fine'))
      mount(app, keys)
      app.post('/own', (req, res) => void res.json({ got: req.body }))
      app.use((_req, res) => void res.status(404).json({ own: 'not found' }))
    },
  })
  try {
    await test(server)
    await send(server, 'get', '/health').expect(200, 'fine')
    await send(server, 'get', '/nowhere').expect(404, { own: 'not found' })
  } finally {
    await server.close()
  }
}

/** From asking for a key to the end of every way it can go, at some mount path. */
async function wholeJourney(server: RunningServer, mountPath = '/oauth'): Promise<void> {
  const at = (path: string) => `${mountPath}${path}`
  const ask = async (scope: string) => {
    const form = { grant_type: 'client_credentials', scope }
    const { body } = await postForm(server, at('/token'), form).auth(CLIENT, SECRET).expect(200)
    return body.access_token as string
  }
  const key = await ask('provision:token')
  const isActive = async () => {
    const { body } = await postForm(server, at('/introspect'), { token: key })
      .auth(CLIENT, SECRET)
      .expect(200)
    return body.active
  }
  expect(await isActive()).toBe(true)
  const exchange = {
    grant_type: EXCHANGE,
    subject_token: key,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  }
  await postForm(server, at('/token'), exchange).expect(200)
  expect(await isActive()).toBe(false)
  const binding = await ask('provision:bind')
  const aud = `${ISSUER}${mountPath}/bind`
  await send(server, 'post', at('/bind'))
    .set('Authorization', `Bearer ${binding}`)
    .send(bindingBody(binding, { claims: { aud } }))
    .expect(201)
  const registering = () => send(server, 'post', at('/register'))
  await registering()
    .set('Authorization', `Bearer ${await ask('provision:register')}`)
    .send({ client_name: 'a' })
    .expect(201)
  await registering()
    .set('Authorization', `Bearer ${await ask('provision:register')}`)
    .send({})
    .expect(201)
  await postForm(server, at('/revoke'), { token: await ask('provision:token') })
    .auth(CLIENT, SECRET)
    .expect(200)
  await send(server, 'get', at('/jwks')).expect(200)
  await send(server, 'get', '/.well-known/oauth-authorization-server').expect(200)
}

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

  test.each(PARSERS.slice(1, 5))('refuses what is no body for the endpoint behind %s', (_title, parsers) =>
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
      (app, keys) => void app.use('/oauth', keys.router()),
      async (server) => {
        await postForm(server, '/oauth/token', {}).expect(400)
        await postForm(server, '/oauth/oauth/token', {}).expect(404)
      },
    ))
})

describe('one middleware alone', () => {
  test('issuance() issues, and says that it exchanges nothing', () =>
    withApp(
      (app, keys) => void app.use(keys.issuance()),
      async (server) => {
        const key = await obtainKey(server)
        const { body } = await exchangeKey(server, key).expect(400)
        expect(body.error).toBe('unsupported_grant_type')
        for (const path of ['bind', 'register', 'introspect', 'revoke'])
          await postForm(server, `/oauth/${path}`, {}).expect(404)
        await send(server, 'get', '/oauth/jwks').expect(404)
      },
    ))

  test('redemption() redeems, and says that it issues nothing', () =>
    withApp(
      (app, keys) => void app.use(keys.redemption()),
      async (server) => {
        const { body } = await postForm(server, '/oauth/token', { grant_type: 'client_credentials' })
          .auth(CLIENT, SECRET)
          .expect(400)
        expect(body.error).toBe('unsupported_grant_type')
        await exchangeKey(server, 'garbage').expect(400)
        expect(server.events.at(-1)).toMatchObject({ reason: 'key_malformed' })
        await postForm(server, '/oauth/introspect', {}).expect(404)
      },
    ))

  test.each<[string, Mount]>([
    ['issuance() first', (app, keys) => void app.use(keys.issuance()).use(keys.redemption())],
    ['redemption() first', (app, keys) => void app.use(keys.redemption()).use(keys.issuance())],
    [
      'each at the mount path',
      (app, keys) => void app.use('/oauth', keys.issuance()).use('/oauth', keys.redemption()),
    ],
    [
      'behind a parser',
      (app, keys) =>
        void app.use(express.urlencoded({ extended: false }), keys.issuance(), keys.redemption()),
    ],
  ])('issuance() and redemption() share the token endpoint: %s', (_title, mount) =>
    withApp(mount, async (server) => {
      await exchangeKey(server, await obtainKey(server, { scope: 'provision:token' })).expect(200)
      const { body } = await postForm(server, '/oauth/token', { grant_type: 'password' }).expect(400)
      expect(body.error).toBe('unsupported_grant_type')
      expect(server.events.filter(({ type }) => type === 'request.refused')).toHaveLength(1)
    }),
  )

  test.each<[string, Mount, string]>([
    ['introspection()', (app, keys) => void app.use(keys.issuance(), keys.introspection()), 'introspect'],
    ['revocation()', (app, keys) => void app.use(keys.issuance(), keys.revocation()), 'revoke'],
  ])('%s answers for the keys of issuance()', (_title, mount, path) =>
    withApp(mount, async (server) => {
      await postForm(server, `/oauth/${path}`, { token: await obtainKey(server) })
        .auth(CLIENT, SECRET)
        .expect(200)
    }),
  )

  test('requireProvisioningKey() guards a route behind any parser, with nothing else of ours mounted', () =>
    withApp(
      (app, keys) => {
        app.use(keys.issuance(), express.json())
        app.post(
          '/guarded',
          keys.requireProvisioningKey({ audience: AUDIENCE }),
          (req, res) => void res.json(req.body),
        )
      },
      async (server) => {
        const key = await obtainKey(server)
        const post = () => send(server, 'post', '/guarded').send({ a: 1 })
        await post().set('Authorization', `Bearer ${key}`).expect(200, { a: 1 })
        await post().expect(401)
      },
    ))
})
