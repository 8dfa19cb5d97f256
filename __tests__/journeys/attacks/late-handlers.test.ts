import type { ClientRequest } from 'node:http'
import express, { type RequestHandler } from 'express'
import type { Provisioning } from '../../../lib/index.js'
import { aClock } from '../../support/clock.js'
import { answerTo, openRequest } from '../../support/exact.js'
import { gate, keyRefOf, type RedeemingServer, refOf, until, withRedeeming } from '../../support/redeeming.js'
import { exchangeKey, obtainKey } from '../../support/requests.js'
import { AUDIENCE, CLIENT, type RunningServer, startServer } from '../../support/server.js'

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

interface Late {
  readonly server: RedeemingServer
  readonly key: string
  readonly expire: () => void
}

/** Ways in which a key ends while a thief withholds a body. */
const ENDS: [how: string, end: (late: Late) => Promise<unknown> | undefined, reason: string][] = [
  ['the key is revoked', ({ server, key }) => server.keys.revokeKey(keyRefOf(key)), 'key_revoked'],
  [
    'all keys are revoked',
    ({ server }) => server.keys.revokeAllIssuedBefore(new Date(), { clientId: CLIENT }),
    'key_revoked',
  ],
  ['the key expires', ({ expire }) => void expire(), 'key_expired'],
]

/** The body that a thief withholds: its beginning and its length. */
const BODIES: [size: string, body: string][] = [
  ['a small body', JSON.stringify({ name: 'a' })],
  ['a body of more than 1 MiB', JSON.stringify({ name: 'a'.repeat(1_100_000) })],
]

const running = () => {
  let runs = 0
  const handler: RequestHandler = (_req, res) => {
    runs += 1
    res.sendStatus(201)
  }
  return { runs: () => runs, handlers: [express.json({ limit: '2mb' }), handler] }
}

/** Sends a body without its last byte. */
function withhold(
  server: Pick<RunningServer, 'port' | 'cert'>,
  key: string,
  [body, path = '/act']: [body: string, path?: string],
) {
  const headers = {
    Authorization: `Bearer ${key}`,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  }
  const sent: ClientRequest = openRequest(server, { path, headers })
  const status = answerTo(sent).then(
    (answer) => answer.status,
    () => 'broken off' as const,
  )
  sent.write(body.slice(0, -1))
  return { status, finish: () => void sent.end(body.slice(-1)), hangUp: () => void sent.destroy() }
}

const refusals = (server: RunningServer) =>
  server.events.flatMap((event) => (event.type === 'request.refused' ? [event.reason] : []))

describe('a body that is withheld until its key is no longer good', () => {
  describe.each(BODIES)('%s', (_size, body) => {
    test.concurrent.each(ENDS)('starts no handler when %s', (_how, end, reason) => {
      const { clock, now } = aClock()
      const { runs, handlers } = running()
      return withRedeeming({ handlers, options: { now } }, async (server) => {
        const key = await server.key()
        const late = withhold(server, key, [body])
        await wait(200)
        await end({ server, key, expire: () => (clock.ahead = 400) })
        late.finish()
        expect(await late.status).toBe(401)
        expect(refusals(server)).toContain(reason)
        expect(runs()).toBe(0)
      })
    })
  })

  test.concurrent('starts no handler behind requireProvisioningKey() and requireAccessToken() either', async () => {
    const { runs, handlers } = running()
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.router())
        app.post('/key', keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }), ...handlers)
        app.post('/token', keys.requireAccessToken({ anyScope: true, audience: AUDIENCE }), ...handlers)
        app.use(keys.errorHandler())
      },
    })
    try {
      const key = await obtainKey(server, { scope: 'devices:read' })
      const spent = await obtainKey(server, { scope: 'provision:token devices:read' })
      const { body } = await exchangeKey(server, spent)
      const late = [
        withhold(server, key, ['{"a":1}', '/key']),
        withhold(server, body.access_token, ['{"a":1}', '/token']),
      ]
      await until(() => server.events.filter(({ type }) => type.endsWith('.verified')).length === 2)
      await server.keys.revokeKey(keyRefOf(key))
      await server.keys.revokeFamily({ clientId: CLIENT, keyId: refOf(spent).jti })
      for (const one of late) one.finish()
      expect(await Promise.all(late.map(({ status }) => status))).toEqual([401, 401])
      expect([runs(), refusals(server)]).toEqual([
        0,
        expect.arrayContaining(['key_revoked', 'token_revoked']),
      ])
    } finally {
      await server.close()
    }
  })
})

describe('a body that a thief sends slowly with a bearer key', () => {
  test.concurrent('reserves nothing until it is complete, so the owner redeems its key', () => {
    const { runs, handlers } = running()
    return withRedeeming({ handlers }, async (server) => {
      const key = await server.key()
      const slow = withhold(server, key, ['{"name":"a"}'])
      await wait(200)
      expect(await server.stateOf(key)).toBe('issued')
      await server.act(key).expect(201)
      slow.finish()
      expect(await slow.status).toBe(401)
      expect(runs()).toBe(1)
      // Now the request of the thief is the replay.
      expect(server.events.filter(({ type }) => type === 'key.replayed')).toHaveLength(1)
    })
  })

  test.concurrent('is refused after three quarters of the lease', () => {
    const { runs, handlers } = running()
    return withRedeeming({ handlers, options: { redemptionLeaseSeconds: 1 } }, async (server) => {
      const key = await server.key()
      const slow = withhold(server, key, ['{"name":"a"}'])
      expect(await slow.status).toBe(400)
      expect([refusals(server), runs()]).toEqual([['body_incomplete'], 0])
      expect(await server.stateOf(key)).toBe('issued')
    })
  })

  test.concurrent('is broken off after as long when it is more than 1 MiB, and the key is released', () => {
    const { runs, handlers } = running()
    const [, long] = BODIES[1] ?? ['', '']
    return withRedeeming({ handlers, options: { redemptionLeaseSeconds: 1 } }, async (server) => {
      const key = await server.key()
      const slow = withhold(server, key, [long])
      await until(async () => (await server.stateOf(key)) === 'redeeming')
      expect(await slow.status).toBe('broken off')
      await until(async () => (await server.stateOf(key)) === 'issued')
      expect(runs()).toBe(0)
    })
  })
})

describe('the signal of a handler', () => {
  test.concurrent.each(ENDS)('is aborted when %s', (_how, end, reason) => {
    const { clock, now } = aClock()
    const started = gate()
    let provisioning: Provisioning | undefined
    const handler: RequestHandler = (req, res) => {
      provisioning = req.provisioning
      started.open()
      provisioning?.signal?.addEventListener('abort', () => res.sendStatus(500))
    }
    return withRedeeming({ handlers: [handler], options: { now } }, async (server) => {
      const key = await server.key()
      const answer = server.act(key).then(({ status }) => status)
      await started.opened
      expect(provisioning?.signal?.aborted).toBe(false)
      await end({ server, key, expire: () => (clock.ahead = 400) })
      expect(await answer).toBe(500)
      expect(provisioning?.signal?.reason).toMatchObject({ reason })
    })
  })
})
