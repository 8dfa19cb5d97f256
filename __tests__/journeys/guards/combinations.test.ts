import express, { type Express } from 'express'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { clientKey } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { refOf } from '../../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer } from '../../support/server.js'

const at = { audience: AUDIENCE }
const create = { scope: 'devices:create', ...at }

async function withApp(
  mount: (app: Express, keys: ProvisioningKeys) => void,
  test: (server: RunningServer) => Promise<void>,
  options = {},
): Promise<void> {
  const server = await startServer({
    options,
    mount(app, keys) {
      app.use(keys.router())
      mount(app, keys)
      app.use(keys.errorHandler())
    },
  })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const created: express.RequestHandler = (_req, res) => void res.sendStatus(201)
const present = (server: RunningServer, key: string) =>
  send(server, 'post', '/chained').set('Authorization', `Bearer ${key}`)

const CHAINS: [title: string, mount: (app: Express, keys: ProvisioningKeys) => void, names: string][] = [
  [
    'requireProvisioningKey() before redeemProvisioningKey()',
    (app, keys) =>
      app.post(
        '/chained',
        keys.requireProvisioningKey({ scope: 'devices:read', ...at }),
        keys.redeemProvisioningKey(create),
        created,
      ),
    'requireProvisioningKey() and redeemProvisioningKey()',
  ],
  [
    'requireProvisioningKey() for the whole app',
    (app, keys) => {
      app.use(keys.requireProvisioningKey({ scope: 'devices:read', ...at }))
      app.post('/chained', express.json(), keys.redeemProvisioningKey(create), created)
    },
    'requireProvisioningKey() and redeemProvisioningKey()',
  ],
  [
    'redeemProvisioningKey() before requireProvisioningKey()',
    (app, keys) =>
      app.post(
        '/chained',
        keys.redeemProvisioningKey({ scope: 'devices:read', ...at }),
        keys.requireProvisioningKey(create),
        created,
      ),
    'redeemProvisioningKey() and requireProvisioningKey()',
  ],
  [
    'redeemProvisioningKey() twice',
    (app, keys) =>
      app.post(
        '/chained',
        keys.redeemProvisioningKey({ scope: 'devices:read', ...at }),
        keys.redeemProvisioningKey(create),
        created,
      ),
    'redeemProvisioningKey() and redeemProvisioningKey()',
  ],
]

describe('two guards of the key on one route', () => {
  test.each(CHAINS)('are rejected at the first use, with the remedy: %s', (_title, mount, names) =>
    withApp(mount, async (server) => {
      const key = await obtainKey(server, { scope: 'devices:create devices:read' })
      const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      for (let i = 0; i < 2; i += 1) await present(server, key).expect(500)
      const warnings = emitted.mock.calls
      emitted.mockRestore()
      const advice =
        `${names}: expected one guard of the key on this route, got two. Write only ` +
        `keys.redeemProvisioningKey({ scope: ['devices:read', 'devices:create'], audience: '${AUDIENCE}' })`
      const advised = server.events.filter(({ type }) => type === 'configuration.advised')
      expect(advised).toEqual([expect.objectContaining({ advice })])
      expect(warnings).toEqual([[advice, { type: 'ProvisioningKeysWarning', code: 'EPK_CONFIGURATION' }]])
      expect(server.events.some(({ type }) => type === 'key.replayed' || type === 'key.redeemed')).toBe(false)
    }),
  )

  test('are rejected without an audience in the remedy if it is the default', () =>
    withApp(
      (app, keys) => {
        app.use(keys.requireProvisioningKey({ anyScope: true }))
        app.post('/chained', keys.redeemProvisioningKey({ scope: 'devices:create' }), created)
      },
      async (server) => {
        await present(server, await obtainKey(server, { scope: 'devices:create' })).expect(500)
        expect(server.events.find(({ type }) => type === 'configuration.advised')).toMatchObject({
          advice: expect.stringMatching(
            /Write only keys\.redeemProvisioningKey\(\{ scope: 'devices:create' \}\)$/,
          ),
        })
      },
      { audience: AUDIENCE },
    ))

  test('work together when neither redeems', () =>
    withApp(
      (app, keys) => {
        app.use(keys.requireProvisioningKey({ anyScope: true, ...at }))
        app.post('/chained', keys.requireProvisioningKey(create), created)
      },
      async (server) => {
        await present(server, await obtainKey(server, { scope: 'devices:create' })).expect(201)
        await present(server, await obtainKey(server, { scope: 'devices:read' })).expect(403)
      },
    ))
})

test('a HEAD request to a GET route that redeems is refused with 405 and spends no key', () =>
  withApp(
    (app, keys) => app.get('/configuration', keys.redeemProvisioningKey(create), created),
    async (server) => {
      const key = await obtainKey(server, { scope: 'devices:create' })
      const head = await send(server, 'head', '/configuration').set('Authorization', `Bearer ${key}`)
      expect([head.status, head.headers.allow]).toEqual([405, 'GET'])
      expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', reason: 'method_not_allowed' })
      await send(server, 'get', '/configuration').set('Authorization', `Bearer ${key}`).expect(201)
    },
  ))

describe('a client that presents its key at a guarded route at the moment of its own exchange', () => {
  const HOLDER = clientKey()
  const token = { method: 'POST', url: `${ISSUER}/oauth/token` }
  const look = { method: 'GET', url: `${AUDIENCE}/look` }
  const clock = { ahead: 0 }
  const now = () => Date.now() + clock.ahead * 1000
  const mount = (app: Express, keys: ProvisioningKeys) => {
    app.get(
      '/look',
      keys.requireProvisioningKey({ anyScope: true, ...at }),
      (_req, res) => void res.sendStatus(200),
    )
    app.get(
      '/whoami',
      keys.requireAccessToken({ anyScope: true, ...at }),
      (_req, res) => void res.sendStatus(200),
    )
  }
  const replays = (server: RunningServer) => server.events.filter(({ type }) => type === 'key.replayed')
  const proof = (target: typeof token, key?: string) =>
    signProof(HOLDER, target, { now: now() / 1000, ...(key !== undefined && { token: key }) })

  beforeEach(() => {
    clock.ahead = 0
  })

  test('keeps its access token when the key is bound', () =>
    withApp(
      mount,
      async (server) => {
        const scope = 'provision:token devices:read'
        const asked = await askForKey(server, { scope }).set('DPoP', proof(token))
        const key = asked.body.access_token
        const { body } = await exchangeKey(server, key).set('DPoP', proof(token)).expect(200)
        const lookAgain = () =>
          send(server, 'get', '/look').set('Authorization', `DPoP ${key}`).set('DPoP', proof(look, key))
        const whoami = () =>
          send(server, 'get', '/whoami')
            .set('Authorization', `DPoP ${body.access_token}`)
            .set('DPoP', proof({ ...look, url: `${AUDIENCE}/whoami` }, body.access_token))
        await lookAgain().expect(401)
        expect(server.events.at(-1)).toMatchObject({ reason: 'key_redeemed', keyId: refOf(key).jti })
        await whoami().expect(200)
        expect(replays(server)).toEqual([])
        // Later, the requests do not overlap.
        clock.ahead = 3
        await lookAgain().expect(401)
        expect(replays(server)).toHaveLength(1)
        await whoami().expect(401)
      },
      { now },
    ))

  test('loses it when the key is a bearer key: nobody can tell the client from a thief', () =>
    withApp(
      mount,
      async (server) => {
        const key = await obtainKey(server, { scope: 'provision:token devices:read' })
        const { body } = await exchangeKey(server, key).expect(200)
        await send(server, 'get', '/look').set('Authorization', `Bearer ${key}`).expect(401)
        expect(replays(server)).toHaveLength(1)
        await send(server, 'get', '/whoami').set('Authorization', `Bearer ${body.access_token}`).expect(401)
      },
      { now },
    ))
})
