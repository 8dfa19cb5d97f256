import type { RequestHandler } from 'express'
import { gate, until } from '../../support/redeeming.js'
import {
  ACT,
  HOLDER,
  lasting,
  type RetryingServer,
  run,
  runAndHangUp,
  STRANGER,
  withRetrying,
} from '../../support/retrying.js'

/** A handler whose first run waits for its answer. The other runs answer immediately. */
function waitingOnce() {
  const started = gate()
  const finish = gate()
  const seen = { status: 201, ids: [] as (string | undefined)[] }
  const handler: RequestHandler = async (req, res) => {
    seen.ids.push(req.provisioning?.redemptionId)
    const run = seen.ids.length
    if (run === 1) {
      started.open()
      await finish.opened
    }
    res.status(run === 1 ? seen.status : 201).json({ run })
  }
  return { started, finish, seen, handler }
}

/** Waits until a retry has seen that the first request is not finished. */
async function looking(server: RetryingServer, looks: () => number): Promise<void> {
  const before = looks()
  await until(() => looks() > before + 1)
  expect(server.countEvents('redemption.repeated')).toBe(0)
}

function watching() {
  let looks = 0
  const verbs = (store: RetryingServer['store']) => ({
    recall(...given: Parameters<RetryingServer['store']['recall']>) {
      looks += 1
      return store.recall(...given)
    },
  })
  return { verbs, looks: () => looks }
}

describe('a request that is repeated while the first is still at work', () => {
  test('waits, and gets the same outcome', async () => {
    const { started, finish, handler } = waitingOnce()
    const { verbs, looks } = watching()
    await withRetrying({ handlers: [handler], verbs }, async (server) => {
      const key = await server.bound(ACT)
      const first = run(server, key, ACT)
      await started.opened
      const retries = [run(server, key, ACT), run(server, key, ACT)]
      await looking(server, looks)
      finish.open()
      const [answer, ...again] = await Promise.all([first, ...retries])
      expect(answer?.status).toBe(201)
      for (const one of again) expect(lasting(one)).toEqual(answer && lasting(answer))
      expect([server.runs(), server.countEvents('redemption.repeated')]).toEqual([1, 2])
    })
  })

  test('is told to come again when that takes longer, and nothing is revoked', async () => {
    const { started, finish, handler } = waitingOnce()
    await withRetrying({ handlers: [handler] }, async (server) => {
      const key = await server.bound(ACT)
      const first = run(server, key, ACT)
      await started.opened
      const retry = await run(server, key, ACT)
      expect(retry.status).toBe(409)
      expect(JSON.parse(retry.text)).toMatchObject({ error: 'temporarily_unavailable' })
      expect(retry.headers).toMatchObject({ 'retry-after': '2', 'cache-control': 'no-store' })
      expect(server.refusal()).toBe('redemption_pending')
      expect(await server.standing(key)).toEqual(['redeeming', false])
      finish.open()
      expect(lasting(await run(server, key, ACT))).toEqual(lasting(await first))
      expect([server.runs(), server.countEvents('key.replayed')]).toEqual([1, 0])
    })
  })

  test.each([409, 500])('runs the action itself once the first was released by %d', async (status) => {
    const { started, finish, seen, handler } = waitingOnce()
    const { verbs, looks } = watching()
    seen.status = status
    await withRetrying({ handlers: [handler], verbs }, async (server) => {
      const key = await server.bound(ACT)
      const first = run(server, key, ACT)
      await started.opened
      const retry = run(server, key, ACT)
      await looking(server, looks)
      finish.open()
      expect((await first).status).toBe(status)
      expect(await retry).toMatchObject({ status: 201, text: '{"run":2}' })
      expect(server.runs()).toBe(2)
      expect(new Set(seen.ids).size).toBe(2)
      expect((await run(server, key, ACT)).text).toBe('{"run":2}')
    })
  })

  test('waits for no other holder, and for no bearer', async () => {
    const { started, finish, handler } = waitingOnce()
    const { verbs, looks } = watching()
    await withRetrying({ handlers: [handler], verbs }, async (server) => {
      const key = await server.bearer(ACT)
      const first = run(server, key, ACT, { scheme: 'Bearer', prover: null })
      await started.opened
      for (const prover of [null, HOLDER, STRANGER]) {
        const other = await run(server, key, ACT, { scheme: 'Bearer', prover })
        expect([other.status, server.refusal()]).toEqual([401, 'key_redeeming'])
      }
      expect(looks()).toBe(0)
      finish.open()
      expect((await first).status).toBe(201)
      expect(await server.standing(key)).toEqual(['redeemed', false])
    })
  })

  test('waits for a first whose connection has broken', async () => {
    const { started, finish, handler } = waitingOnce()
    const { verbs, looks } = watching()
    await withRetrying({ handlers: [handler], verbs }, async (server) => {
      const key = await server.bound(ACT)
      const hangUp = runAndHangUp(server, key, ACT)
      await started.opened
      hangUp()
      const retry = run(server, key, ACT)
      await looking(server, looks)
      finish.open()
      expect(await retry).toMatchObject({ status: 201, text: '{"run":1}' })
      expect(server.runs()).toBe(1)
    })
  })

  test('with another body is a replay once the first has ended', async () => {
    const { started, finish, handler } = waitingOnce()
    const { verbs, looks } = watching()
    await withRetrying({ handlers: [handler], verbs }, async (server) => {
      const key = await server.bound(ACT)
      const first = run(server, key, ACT)
      await started.opened
      const other = run(server, key, { ...ACT, body: '{"name":"b"}' })
      await looking(server, looks)
      finish.open()
      expect([(await first).status, (await other).status]).toEqual([201, 401])
      expect(await server.standing(key)).toEqual(['redeemed', true])
    })
  })
})
