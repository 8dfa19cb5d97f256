import { memoryStore } from '../../../lib/stores/memory/memory.js'
import { clientKey } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { askForKey, exchangeKey, send } from '../../support/requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer } from '../../support/server.js'

const KEY = clientKey()
const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }

/** A store that remembers five proofs of a key. */
async function withFewProofs(test: (server: RunningServer, key: string) => Promise<void>): Promise<void> {
  const server = await startServer({
    options: { store: memoryStore({ maxProofsPerKey: 5 }), rateLimit: false },
    mount(app, keys) {
      app.use(keys.router())
      const at = { audience: AUDIENCE }
      app.get('/devices', keys.requireProvisioningKey({ scope: 'devices:read', ...at }), (_req, res) => {
        res.sendStatus(200)
      })
      app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:read', ...at }), (_req, res) => {
        res.sendStatus(201)
      })
      app.use(keys.errorHandler())
    },
  })
  try {
    const asked = askForKey(server, { scope: 'devices:read provision:token' })
    const { body } = await asked.set('DPoP', signProof(KEY, TOKEN)).expect(200)
    await test(server, body.access_token)
  } finally {
    await server.close()
  }
}

const present = (server: RunningServer, method: 'get' | 'post', key: string) => {
  const target = { method: method.toUpperCase(), url: `${AUDIENCE}/devices` }
  return send(server, method, '/devices').set({
    Authorization: `DPoP ${key}`,
    DPoP: signProof(KEY, target, { token: key }),
  })
}

const exchange = (server: RunningServer, key: string) =>
  exchangeKey(server, key).set('DPoP', signProof(KEY, TOKEN, { token: key }))

describe('a thief who uses up the proofs of a stolen key', () => {
  test.each<[string, (server: RunningServer, key: string) => PromiseLike<{ status: number }>]>([
    ['redeems it on a route', (server, key) => present(server, 'post', key)],
    ['redeems it at the token endpoint', exchange],
  ])('does not hide the theft from an owner who %s', (_title, attempt) =>
    withFewProofs(async (server, key) => {
      for (let i = 0; i < 4; i += 1) await present(server, 'get', key).expect(200)
      // The thief redeems the key for another purpose than the owner.
      const isExchange = attempt === exchange
      await (isExchange ? present(server, 'post', key).expect(201) : exchange(server, key).expect(200))
      expect((await attempt(server, key)).status).toBeGreaterThanOrEqual(400)
      const replayed = server.events.filter(({ type }) => type === 'key.replayed')
      expect(replayed).toMatchObject([{ familyRevoked: true }])
    }),
  )

  test('is limited as long as the key is not redeemed', () =>
    withFewProofs(async (server, key) => {
      for (let i = 0; i < 5; i += 1) await present(server, 'get', key).expect(200)
      await present(server, 'get', key).expect(429)
      await exchange(server, key).expect(429)
    }))
})
