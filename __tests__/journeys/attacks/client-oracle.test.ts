import type { Express } from 'express'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { clientKey } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { refOf } from '../../support/redeeming.js'
import { exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const SCOPE = { scope: 'provision:token provision:bind devices:read' }

/** Look-ups of the client registry, by client. */
interface Watched extends RunningServer {
  readonly lookUps: string[]
}

async function withServer(limit: number, test: (server: Watched) => Promise<void>): Promise<void> {
  const lookUps: string[] = []
  const policy = { scopes: ['provision:token', 'provision:bind', 'devices:read'] }
  const clients = (clientId: string) => {
    lookUps.push(clientId)
    return [CLIENT, 'bystander'].includes(clientId) ? { clientId, clientSecret: SECRET, policy } : undefined
  }
  const mount = (app: Express, keys: ProvisioningKeys) => {
    app.use(keys.router())
    app.get(
      '/devices',
      keys.requireAccessToken({ anyScope: true, audience: AUDIENCE }),
      (_req, res) => void res.json({}),
    )
  }
  const rateLimit = { token: { limit, windowMs: 300_000 } }
  const server = await startServer({ options: { clients, rateLimit }, mount })
  await test({ ...server, lookUps }).finally(server.close)
}

const replays = ({ events }: RunningServer) => events.filter(({ type }) => type === 'key.replayed')

describe('a replay at the token endpoint', () => {
  const CALLERS: [who: string, form: Record<string, string>][] = [
    ['with a wrong secret', { client_id: CLIENT, client_secret: 'wrong' }],
    ['as a client that does not exist', { client_id: 'nobody', client_secret: SECRET }],
    ['as another client', { client_id: 'bystander', client_secret: SECRET }],
    ['with an assertion that is none', { client_assertion: 'x', client_assertion_type: 'y' }],
  ]

  test.each(CALLERS)('is contained though the owner authenticates %s', (_who, form) =>
    withServer(100, async (server) => {
      const key = await obtainKey(server, SCOPE)
      const { body } = await exchangeKey(server, key).expect(200)
      expect((await exchangeKey(server, key, form)).status).toBeGreaterThanOrEqual(400)
      expect(replays(server)).toMatchObject([{ keyId: refOf(key).jti, familyRevoked: true }])
      const loot = send(server, 'get', '/devices').set('Authorization', `Bearer ${body.access_token}`)
      await loot.expect(401)
    }),
  )

  test('is contained though its proof was used before', () =>
    withServer(100, async (server) => {
      const [own, target] = [clientKey(), { method: 'POST', url: `${ISSUER}/oauth/token` }]
      const proof = signProof(own, target)
      const [key, other] = [await obtainKey(server, SCOPE), await obtainKey(server, SCOPE)]
      await exchangeKey(server, key).expect(200)
      await exchangeKey(server, other).set('DPoP', proof).expect(200)
      await exchangeKey(server, key).set('DPoP', proof).expect(400)
      expect(replays(server)).toMatchObject([{ keyId: refOf(key).jti }])
    }))

  test('is contained when somebody sends the whole request of the winner again', () =>
    withServer(100, async (server) => {
      const proof = signProof(clientKey(), { method: 'POST', url: `${ISSUER}/oauth/token` })
      const key = await obtainKey(server, SCOPE)
      await exchangeKey(server, key).set('DPoP', proof).expect(200)
      await exchangeKey(server, key).set('DPoP', proof).expect(400)
      expect(replays(server)).toHaveLength(1)
    }))
})

describe('a stranger beyond the limit of its address', () => {
  const GUESSES: [secret: string, form: Record<string, string>][] = [
    ['a right secret', { client_id: 'bystander', client_secret: SECRET }],
    ['a wrong secret', { client_id: 'bystander', client_secret: 'wrong' }],
    ['a client that does not exist', { client_id: 'nobody', client_secret: SECRET }],
  ]

  test.each(GUESSES)('has nobody look at %s that comes with an exchange', (_secret, form) =>
    withServer(3, async (server) => {
      const key = await obtainKey(server, SCOPE)
      for (let i = 0; i < 2; i += 1) await obtainKey(server, SCOPE)
      const before = server.lookUps.length
      for (const token of ['x', key, `${key}x`]) await exchangeKey(server, token, form).expect(429)
      expect(server.lookUps).toHaveLength(before)
      expect(server.events.slice(-3)).toMatchObject(Array(3).fill({ reason: 'too_many_requests' }))
    }),
  )

  test('does not have a right secret told from a wrong one by what a replay is answered', () =>
    withServer(2, async (server) => {
      const key = await obtainKey(server, SCOPE)
      await exchangeKey(server, key).expect(200)
      const before = server.lookUps.length
      const texts = new Set<string>()
      for (const [, form] of GUESSES) texts.add((await exchangeKey(server, key, form)).text)
      expect(texts.size).toBe(1)
      // The server looks up the client of the key, because its policy decides about the family.
      expect(new Set(server.lookUps.slice(before))).toEqual(new Set([CLIENT]))
      expect(replays(server)).toHaveLength(3)
    }))
})
