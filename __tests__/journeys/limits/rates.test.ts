import type { ProvisioningOptions } from '../../../lib/index.js'
import { clientKey } from '../../support/client-assertion.js'
import { signProof } from '../../support/proof.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const HOLDER = clientKey()

type Limits = ProvisioningOptions['rateLimit']

async function withLimits(rateLimit: Limits, test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startServer({
    options: { ...(rateLimit !== undefined && { rateLimit }) },
    mount: (app, keys) => {
      app.set('trust proxy', 'loopback')
      app.use(keys.router())
      const redeem = keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE })
      app.post('/devices', redeem, (_req, res) => void res.sendStatus(201))
    },
  })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const from = (address: string) => ({ 'X-Forwarded-For': address, 'X-Forwarded-Proto': 'https' })

describe('rate limits', () => {
  test('count per address, before anything else is looked at', () =>
    withLimits({ token: { limit: 2 } }, async (server) => {
      const garbage = () =>
        postForm(server, '/oauth/token', { grant_type: 'nonsense' }).set(from('192.0.2.1'))
      await garbage().expect(400)
      await garbage().expect(400)
      const refused = await garbage().expect(429)
      expect(refused.body).toEqual({
        error: 'slow_down',
        error_description: 'Too many requests; try again later.',
      })
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60)
      await askForKey(server).set(from('192.0.2.2')).expect(200)
    }))

  test('count per client from wherever it comes, once it has authenticated', () =>
    withLimits({ token: { limit: 2 } }, async (server) => {
      await askForKey(server).set(from('192.0.2.1')).expect(200)
      await askForKey(server).set(from('192.0.2.2')).expect(200)
      const refused = await askForKey(server).set(from('192.0.2.3')).expect(429)
      expect(refused.headers.ratelimit).toMatch(/"token-client"; r=0; t=\d+/)
    }))

  test('cannot be used up for a client by strangers who know its name', () =>
    withLimits({ token: { limit: 2 } }, async (server) => {
      for (const last of [1, 2, 3, 4, 5]) {
        await askForKey(server, {}, { id: CLIENT, secret: 'wrong-secret' })
          .set(from(`192.0.2.${last}`))
          .expect(401)
      }
      await askForKey(server).set(from('192.0.2.9')).expect(200)
    }))

  test('tell how much is left, in the headers of draft 8', () =>
    withLimits({ token: { limit: 5, windowMs: 30_000 } }, async (server) => {
      const { headers } = await askForKey(server).expect(200)
      expect(headers['ratelimit-policy']).toMatch(
        /"token-address"; q=5; w=30; pk=:[\w=]+:, "token-client"; q=5; w=30/,
      )
      expect(headers.ratelimit).toMatch(/"token-address"; r=4; t=30, "token-client"; r=4; t=30/)
      expect(headers).not.toHaveProperty('x-ratelimit-limit')
    }))

  test('count an exchange once, though two routers serve the token endpoint', () =>
    withLimits({ token: { limit: 3 } }, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const { headers } = await exchangeKey(server, key).expect(200)
      expect(headers.ratelimit).toMatch(/^"token-address"; r=1; t=\d+$/)
    }))

  test('count a bound key for itself, so that it cannot use up the limit of its client', () =>
    withLimits({ token: { limit: 3 } }, async (server) => {
      const target = { method: 'POST', url: `${ISSUER}/oauth/token` }
      const { body } = await askForKey(server, { scope: 'devices:create' })
        .set('DPoP', signProof(HOLDER, target))
        .expect(200)
      const exchange = (last: number) =>
        exchangeKey(server, body.access_token)
          .set(from(`192.0.2.${last}`))
          .set('DPoP', signProof(HOLDER, target))
      for (const last of [1, 2, 3]) await exchange(last).expect(400)
      await exchange(4).expect(429)
      await askForKey(server).set(from('192.0.2.9')).expect(200)
    }))

  test('do not count a bearer key, so that a thief with a copy cannot use up a limit of its owner', () =>
    withLimits({ token: { limit: 3 } }, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      for (const last of [1, 2, 3, 4])
        await exchangeKey(server, key, { scope: 'admin' })
          .set(from(`192.0.2.${last}`))
          .expect(400)
      await exchangeKey(server, key).set(from('192.0.2.9')).expect(200)
    }))

  test.each(['bind', 'register', 'introspect', 'revoke'] as const)('guard %s', (endpoint) =>
    withLimits({ [endpoint]: { limit: 1 } }, async (server) => {
      const path = `/oauth/${endpoint}`
      await send(server, 'post', path)
      await send(server, 'post', path).expect(429)
    }),
  )

  test('guard redemption at routes of the host', () =>
    withLimits({ redeem: { limit: 1 } }, async (server) => {
      await send(server, 'post', '/devices').expect(401)
      const refused = await send(server, 'post', '/devices').expect(429)
      expect(refused.body.error).toBe('slow_down')
    }))

  test('spend no key when they refuse', () =>
    withLimits({ redeem: { limit: 1 } }, async (server) => {
      const key = await obtainKey(server, { scope: 'devices:create provision:token' })
      await send(server, 'post', '/devices').set(from('192.0.2.7')).expect(401)
      const { status } = await send(server, 'post', '/devices')
        .set(from('192.0.2.7'))
        .set('Authorization', `Bearer ${key}`)
      expect(status).toBe(429)
      await exchangeKey(server, key).expect(200)
    }))

  test('are 300 a minute where nothing is said, and none where they are switched off', async () => {
    await withLimits({}, async (server) => {
      const { headers } = await askForKey(server).expect(200)
      expect(headers['ratelimit-policy']).toMatch(/"token-address"; q=300; w=60/)
    })
    await withLimits(false, async (server) => {
      const { headers } = await askForKey(server).expect(200)
      expect(headers).not.toHaveProperty('ratelimit')
    })
  })

  test('refuse with 503 when their store does not answer: breaking it must not switch them off', () => {
    const broken = () => ({
      increment: () => Promise.reject(new Error('connection lost')),
      decrement: async () => undefined,
      resetKey: async () => undefined,
    })
    return withLimits({ store: broken }, async (server) => {
      const refused = await askForKey(server).expect(503)
      expect(refused.body.error).toBe('temporarily_unavailable')
      expect(server.events.at(-1)).toMatchObject({
        reason: 'store_unavailable',
        detail: expect.stringContaining('connection lost'),
      })
    })
  })

  test.each([undefined, null, Number.NaN, -1, '1000'])(
    'refuse with 503 when their function answers %p',
    (answer) =>
      withLimits({ token: { limit: (() => answer) as never } }, async (server) => {
        await askForKey(server).expect(503)
        expect(server.events.at(-1)).toMatchObject({
          reason: 'store_unavailable',
          detail: expect.stringContaining('limit() must return a number'),
        })
      }),
  )

  test('are what their function answers, also none at all', () =>
    withLimits(
      { token: { limit: async (req) => (req.ip === '192.0.2.1' ? 1 : Infinity) } },
      async (server) => {
        const garbage = (address: string) => postForm(server, '/oauth/token', {}).set(from(address))
        await garbage('192.0.2.1').expect(400)
        await garbage('192.0.2.1').expect(429)
        for (let i = 0; i < 3; i += 1) await garbage('192.0.2.2').expect(400)
      },
    ))

  test('introspect and revoke work within them', () =>
    withLimits({ introspect: { limit: 1 }, revoke: { limit: 1 } }, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const { body } = await postForm(server, '/oauth/introspect', { token: key })
        .auth(CLIENT, SECRET)
        .expect(200)
      expect(body.active).toBe(true)
      await postForm(server, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET).expect(200)
    }))
})
