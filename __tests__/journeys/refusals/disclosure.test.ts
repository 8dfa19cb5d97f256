import { exchangeKey, obtainKey } from '../../support/requests.js'
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
      const key = await obtainKey(server, { scope: 'provision:token' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key).auth(CLIENT, SECRET).expect(400)
      expect(body).toEqual({
        error: 'invalid_request',
        error_description: 'The key has been redeemed; a key is good for one redemption.',
      })
    }))

  test('is told to nobody who does not authenticate', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key, { client_id: CLIENT }).expect(400)
      expect(body).toEqual({ error: 'invalid_request', error_description: UNIFORM })
    }))

  test('is not told to another client, however well it authenticates', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token' })
      await exchangeKey(server, key).expect(200)
      const { body } = await exchangeKey(server, key).auth('bystander', SECRET).expect(400)
      expect(body).toEqual({ error: 'invalid_request', error_description: UNIFORM })
    }))
})
