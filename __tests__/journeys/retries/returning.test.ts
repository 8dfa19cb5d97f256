import express, { type RequestHandler } from 'express'
import type { ProvisioningStore, RedemptionHandler } from '../../../lib/index.js'
import { farAway, gate, until } from '../../support/redeeming.js'
import { compressing } from '../../support/response-patching.js'
import {
  ACT,
  type Errand,
  lasting,
  type RetryingPlan,
  run,
  runAndHangUp,
  STRANGER,
  withRetrying,
} from '../../support/retrying.js'

const LEASE = 30
const fresh = () => String(Math.random())

const WAYS: [title: string, returns: RedemptionHandler][] = [
  ['JSON', () => ({ status: 201, body: { a: fresh() } })],
  ['text with headers', () => ({ headers: { 'X-Made': fresh(), ETag: '"a"' }, body: fresh() })],
  ['cookies', () => ({ headers: { 'Set-Cookie': [`a=${fresh()}`, 'b=2'] } })],
  ['bytes', () => ({ body: Buffer.concat([Buffer.from(fresh()), Buffer.alloc(20_000, 0xff)]) })],
  ['204', () => ({ status: 204, headers: { 'X-Made': fresh() } })],
  ['a redirection', () => ({ status: 303, headers: { Location: `/devices/${fresh()}` } })],
  ['a status that a client can choose', () => ({ status: 406, body: fresh() })],
  ['60,000 bytes', () => ({ body: Buffer.alloc(60_000, fresh()) })],
]

const PLACES: [place: string, plan: Omit<RetryingPlan, 'returns'>][] = [
  ['', {}],
  ['behind a body parser', { before: [express.json()] }],
  ['behind a compressing middleware', { before: [compressing()] }],
  ['with a store that is far away', { verbs: farAway }],
]

describe.each(PLACES)('an answer that a handler returned %s', (_place, plan) => {
  test.each(WAYS)('is given again byte for byte, without the handler: %s', (_title, returns) =>
    withRetrying({ ...plan, returns }, async (server) => {
      const key = await server.bound(ACT)
      const first = await run(server, key, ACT)
      expect(first.status).not.toBe(500)
      for (const _again of [1, 2]) expect(lasting(await run(server, key, ACT))).toEqual(lasting(first))
      expect([server.runs(), server.countEvents('redemption.repeated')]).toEqual([1, 2])
    }),
  )
})

describe('the owner of a key asks again', () => {
  test('with another body: that is a replay', () =>
    withRetrying({ before: [express.json()], returns: () => ({ status: 201 }) }, async (server) => {
      const key = await server.bound(ACT)
      expect((await run(server, key, ACT)).status).toBe(201)
      expect((await run(server, key, { ...ACT, body: '{"name":"b"}' })).status).toBe(401)
      expect([server.runs(), server.countEvents('key.replayed')]).toEqual([1, 1])
    }))

  test('for an answer of more than 64 KiB: it is not kept, and the handler does not run', () =>
    withRetrying({ returns: () => ({ body: Buffer.alloc(65_537) }) }, async (server) => {
      const key = await server.bound(ACT)
      expect((await run(server, key, ACT)).bytes).toHaveLength(65_537)
      expect([(await run(server, key, ACT)).status, server.refusal()]).toEqual([401, 'key_redeemed'])
      expect([server.runs(), server.countEvents('key.replayed')]).toEqual([1, 0])
    }))

  test('after a hang-up, and gets the answer that the first connection did not live to see', () => {
    const [started, finish] = [gate(), gate()]
    const returns: RedemptionHandler = async () => {
      started.open()
      await finish.opened
      return { status: 201, body: fresh() }
    }
    return withRetrying({ returns }, async (server) => {
      const key = await server.bound(ACT)
      const hangUp = runAndHangUp(server, key, ACT)
      await started.opened
      hangUp()
      finish.open()
      await until(() => server.countEvents('key.redeemed') === 1)
      const second = await run(server, key, ACT)
      expect(second.status).toBe(201)
      expect(lasting(await run(server, key, ACT))).toEqual(lasting(second))
      expect(server.runs()).toBe(1)
    })
  })

  test('after a middleware has answered in the place of the handler', () => {
    const timeout: RequestHandler = (req, res, next) => {
      if (req.headers['x-slow'] !== undefined) setTimeout(() => res.sendStatus(503), 30)
      next()
    }
    const finish = gate()
    const returns: RedemptionHandler = async () => {
      await finish.opened
      return { status: 201, body: 'made' }
    }
    return withRetrying({ before: [timeout], returns }, async (server) => {
      const key = await server.bound(ACT)
      const slow: Errand = { ...ACT, headers: { ...ACT.headers, 'X-Slow': 'yes' } }
      expect((await run(server, key, slow)).status).toBe(503)
      expect(await server.standing(key)).toEqual(['redeeming', false])
      finish.open()
      await until(() => server.countEvents('key.redeemed') === 1)
      expect(await run(server, key, ACT)).toMatchObject({ status: 201, text: 'made' })
      expect(server.runs()).toBe(1)
    })
  })

  test('after a stranger has asked with a proof of its own, which gets nothing', () =>
    withRetrying({ returns: () => ({ status: 201, body: fresh() }) }, async (server) => {
      const key = await server.bound(ACT)
      const first = await run(server, key, ACT)
      expect((await run(server, key, ACT, { prover: STRANGER })).status).toBe(401)
      expect(lasting(await run(server, key, ACT))).toEqual(lasting(first))
    }))
})

/** A server whose clock only the test moves. */
async function withClock(
  plan: RetryingPlan,
  test: (
    server: Parameters<Parameters<typeof withRetrying>[1]>[0],
    clock: { seconds: number; manner: () => { now: number } },
  ) => Promise<void>,
): Promise<void> {
  const clock = { seconds: Math.floor(Date.now() / 1000), manner: () => ({ now: clock.seconds }) }
  const options = { now: () => clock.seconds * 1000, redemptionLeaseSeconds: LEASE }
  await withRetrying({ ...plan, options }, (server) => test(server, clock))
}

describe('a handler that does not end within the lease', () => {
  test.concurrent.each(['succeeds', 'fails'])(
    'gives way to the next attempt, and is refused when it %s late',
    (end) => {
      const [started, finish] = [gate(), gate()]
      const ids: string[] = []
      const returns: RedemptionHandler = async (_req, { redemptionId }) => {
        const run = ids.push(redemptionId)
        if (run > 1) return { status: 201, body: { run } }
        started.open()
        await finish.opened
        if (end === 'fails') throw new Error('late')
        return { status: 201, body: { run } }
      }
      return withClock({ returns }, async (server, clock) => {
        const key = await server.bound(ACT)
        const first = run(server, key, ACT, clock.manner())
        await started.opened
        clock.seconds += LEASE - 1
        expect((await run(server, key, ACT, clock.manner())).status).toBe(409)
        clock.seconds += 1
        const second = await run(server, key, ACT, clock.manner())
        expect(second).toMatchObject({ status: 201, text: '{"run":2}' })
        finish.open()
        const { status, text } = await first
        expect(status >= 400).toBe(true)
        expect(text).not.toContain('"run":1')
        expect(new Set(ids).size).toBe(1)
        expect(lasting(await run(server, key, ACT, clock.manner()))).toEqual(lasting(second))
        expect(await server.standing(key)).toEqual(['redeemed', false])
      })
    },
  )

  test('runs again after a settlement whose answer got lost, under the same name', () => {
    const ids: string[] = []
    let settled = 0
    const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
      settle(...given) {
        settled += 1
        return settled === 1 ? Promise.reject(new Error('connection lost')) : store.settle(...given)
      },
    })
    const returns: RedemptionHandler = (_req, { redemptionId }) => {
      ids.push(redemptionId)
      return { status: 201 }
    }
    return withClock({ returns, verbs }, async (server, clock) => {
      const key = await server.bound(ACT)
      expect((await run(server, key, ACT, clock.manner())).status).toBe(503)
      clock.seconds += LEASE
      expect((await run(server, key, ACT, clock.manner())).status).toBe(201)
      expect([ids.length, new Set(ids).size]).toEqual([2, 1])
    })
  })
})
