import type { Express } from 'express'
import { MemoryStore } from 'express-rate-limit'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { clientKey } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { askForKey, exchangeKey, send } from '../../support/requests.js'
import { AUDIENCE, ISSUER, type RunningServer, startServer, WITH_ADMIN } from '../../support/server.js'

const OWN = clientKey()
const TOKEN = { method: 'POST', url: `${ISSUER}/oauth/token` }
const at = { audience: AUDIENCE }

/**
 * An owner whose request with a bound key is refused for a temporary reason, and a thief with a copy of it.
 * `forgetRequests` does what the end of the window of a rate limit does.
 */
async function withOwner(
  test: (server: RunningServer, forgetRequests: () => void) => Promise<void>,
): Promise<void> {
  const mount = (app: Express, keys: ProvisioningKeys) => {
    app.use(keys.router())
    app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create', ...at }), (_req, res) => {
      res.sendStatus(201)
    })
    app.get('/admin', keys.requireProvisioningKey({ scope: 'admin', ...at }), (_req, res) =>
      res.sendStatus(200),
    )
    app.get('/tokens', keys.requireAccessToken({ scope: 'admin', ...at }), (_req, res) => res.sendStatus(200))
  }
  const stores: MemoryStore[] = []
  const store = () => {
    const made = new MemoryStore()
    stores.push(made)
    return made
  }
  const rateLimit = { redeem: { limit: 1 }, store }
  const server = await startServer({ options: { rateLimit, policy: WITH_ADMIN }, mount })
  const forgetRequests = () => stores.forEach((one) => void one.resetAll())
  await test(server, forgetRequests).finally(server.close)
}

async function boundKey(server: RunningServer): Promise<string> {
  const asked = askForKey(server, { scope: 'provision:token devices:create devices:read' })
  return (await asked.set('DPoP', signProof(OWN, TOKEN)).expect(200)).body.access_token
}

/** One request that can be sent repeatedly. */
function request(server: RunningServer, [method, path]: ['get' | 'post', string], token: string) {
  const proof = signProof(OWN, { method: method.toUpperCase(), url: `${AUDIENCE}${path}` }, { token })
  return () => send(server, method, path).set({ Authorization: `DPoP ${token}`, DPoP: proof })
}

const lastReason = ({ events }: RunningServer) =>
  events.flatMap((event) => (event.type === 'request.refused' ? [event.reason] : [])).at(-1)

describe('a copy of a request of the owner of a bound key', () => {
  test('is good for nothing when a limit has refused the request', () =>
    withOwner(async (server, forgetRequests) => {
      const [key, other] = [await boundKey(server), await boundKey(server)]
      await request(server, ['post', '/devices'], other)().expect(201)
      const refused = request(server, ['post', '/devices'], key)
      await refused().expect(429)
      forgetRequests()
      await refused().expect(401)
      expect(lastReason(server)).toBe('dpop_replayed')
      forgetRequests()
      await request(server, ['post', '/devices'], key)().expect(201)
    }))

  test('is good for nothing when the key had not the scope', () =>
    withOwner(async (server) => {
      const refused = request(server, ['get', '/admin'], await boundKey(server))
      await refused().expect(403)
      await refused().expect(401)
      expect(lastReason(server)).toBe('dpop_replayed')
    }))

  test('is good for nothing when the access token had not the scope', () =>
    withOwner(async (server) => {
      const exchanged = exchangeKey(server, await boundKey(server)).set('DPoP', signProof(OWN, TOKEN))
      const { body } = await exchanged.expect(200)
      const refused = request(server, ['get', '/tokens'], body.access_token)
      await refused().expect(403)
      await refused().expect(401)
      expect(lastReason(server)).toBe('dpop_replayed')
    }))

  test('is good for nothing when the policy did not allow the key that it asked for', () =>
    withOwner(async (server) => {
      const key = await boundKey(server)
      const proof = signProof(OWN, TOKEN)
      await askForKey(server, { scope: 'unknown' }).set('DPoP', proof).expect(400)
      expect(lastReason(server)).toBe('scope_not_permitted')
      // A proof for the token endpoint names no key, so a thief could redeem a copied key with it.
      for (const copied of [exchangeKey(server, key), askForKey(server)])
        await copied.set('DPoP', proof).expect(400)
      expect(lastReason(server)).toBe('dpop_replayed')
      await exchangeKey(server, key).set('DPoP', signProof(OWN, TOKEN)).expect(200)
    }))
})
