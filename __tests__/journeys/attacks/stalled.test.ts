import type { RequestHandler } from 'express'
import { aClock } from '../../support/clock.js'
import { gate, type RedeemingServer, refOf, withRedeeming } from '../../support/redeeming.js'
import { exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE } from '../../support/server.js'

/** A handler that reports its start, and answers when the test allows it. */
function aSlowHandler(status: number) {
  const [started, finish] = [gate(), gate()]
  const handler: RequestHandler = async (_req, res) => {
    started.open()
    await finish.opened
    res.sendStatus(status)
  }
  return { started, finish, handler }
}

describe('a reservation that lasts too long', () => {
  const PLACES: [place: string, present: (server: RedeemingServer, key: string) => PromiseLike<unknown>][] = [
    ['at the same route', (server, key) => server.act(key).expect(401)],
    ['at the token endpoint', (server, key) => exchangeKey(server, key).expect(400)],
    [
      'at a route that does not redeem',
      (server, key) => send(server, 'get', '/look').set('Authorization', `Bearer ${key}`).expect(401),
    ],
  ]

  test.each(PLACES)('is reported as high when it refuses the owner %s', async (_place, present) => {
    const { clock, now } = aClock()
    const { started, finish, handler } = aSlowHandler(201)
    await withRedeeming({ handlers: [handler], options: { now } }, async (server) => {
      server.app.get(
        '/look',
        server.keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }),
        (_req, res) => {
          res.sendStatus(200)
        },
      )
      const key = await obtainKey(server, { scope: 'devices:create devices:read provision:token' })
      const stalled = () => server.events.filter(({ type }) => type === 'redemption.stalled')
      const first = server.act(key).then(({ status }) => status)
      await started.opened
      await present(server, key)
      expect(stalled()).toEqual([])
      clock.ahead = 6
      await present(server, key)
      const { clientId, jti: keyId } = refOf(key)
      expect(stalled()).toEqual([
        expect.objectContaining({ severity: 'high', keyId, clientId, address: '127.0.0.1' }),
      ])
      expect(stalled()).toMatchObject([{ reservedSeconds: 6 }])
      finish.open()
      expect(await first).toBe(201)
    })
  })

  test('is reported too when a thief releases and reserves the key again and again', async () => {
    const { clock, now } = aClock()
    let slow = aSlowHandler(500)
    const handler: RequestHandler = (...args) => slow.handler(...args)
    await withRedeeming({ handlers: [handler], options: { now } }, async (server) => {
      const key = await server.key()
      for (const ahead of [0, 3, 6]) {
        slow = aSlowHandler(500)
        clock.ahead = ahead
        const failing = server.act(key).then(({ status }) => status)
        await slow.started.opened
        await server.act(key).expect(401)
        slow.finish.open()
        expect(await failing).toBe(500)
      }
      const stalled = server.events.filter(({ type }) => type === 'redemption.stalled')
      expect(stalled).toMatchObject([{ severity: 'high', keyId: refOf(key).jti, reservedSeconds: 6 }])
    })
  })

  test('is reported though the owner has used up its limit', async () => {
    const { clock, now } = aClock()
    const { started, finish, handler } = aSlowHandler(201)
    const rateLimit = { redeem: { limit: 1, windowMs: 300_000 } }
    await withRedeeming({ handlers: [handler], options: { now, rateLimit } }, async (server) => {
      const key = await server.key()
      const first = server.act(key).then(({ status }) => status)
      await started.opened
      clock.ahead = 6
      await server.act(key).expect(429)
      expect(server.events.filter(({ type }) => type === 'redemption.stalled')).toHaveLength(1)
      finish.open()
      expect(await first).toBe(201)
    })
  })
})
