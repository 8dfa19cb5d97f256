import express from 'express'
import { type Mount, withApp } from '../../support/host-app.js'
import { exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, SECRET } from '../../support/server.js'

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
      await exchangeKey(server, await obtainKey(server, { scope: 'provision:token devices:read' })).expect(
        200,
      )
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
          keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }),
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
