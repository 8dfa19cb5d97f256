import { exchangeKey, obtainKey, postForm } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startServer()
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const UNIFORM = 'The request cannot be accepted.'

describe('the reason of a refused exchange', () => {
  test('is told to the client of the key, once it has authenticated', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key).auth(CLIENT, SECRET).expect(400)
      expect(body).toEqual({
        error: 'invalid_request',
        error_description: 'The key has been redeemed; a key is good for one redemption.',
      })
    }))

  test('names the scopes that the key needs, and the key stays unredeemed', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token provision:bind' })
      const { body } = await exchangeKey(server, key).auth(CLIENT, SECRET).expect(400)
      expect(body).toEqual({
        error: 'invalid_scope',
        error_description:
          'The key has no scope for an access token (provision:* is for keys only). ' +
          'Ask for a key that also has one of devices:create, devices:read.',
      })
      const { body: stranger } = await exchangeKey(server, key).expect(400)
      expect(stranger).toEqual({
        error: 'invalid_scope',
        error_description: 'The scope cannot be granted.',
      })
      const introspection = await postForm(server, '/oauth/introspect', { token: key }).auth(CLIENT, SECRET)
      expect(introspection.body.active).toBe(true)
    }))

  test('is told to nobody who does not authenticate', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key, { client_id: CLIENT }).expect(400)
      expect(body).toEqual({ error: 'invalid_request', error_description: UNIFORM })
    }))

  test('is not told to another client, however well it authenticates', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key).auth('bystander', SECRET).expect(400)
      expect(body).toEqual({ error: 'invalid_request', error_description: UNIFORM })
    }))
})
