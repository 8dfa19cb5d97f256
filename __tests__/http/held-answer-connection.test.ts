import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { RequestHandler } from 'express'
import { openRequest } from '../support/exact.js'
import {
  farAway,
  gate,
  type RedeemingPlan,
  type RedeemingServer,
  until,
  withRedeeming,
} from '../support/redeeming.js'

/** Presents a key and returns a function that hangs up. */
function presentAndHangUp(server: RedeemingServer, key: string): () => void {
  const sent = openRequest(server, { path: '/act', headers: { Authorization: `Bearer ${key}` } })
  sent.on('error', () => undefined).end()
  return () => void sent.destroy()
}

/** A handler whose first run waits for the test and its answer. The other runs answer 201. */
function waitingHandler(answer: RequestHandler) {
  const started = gate()
  const finish = gate()
  const seen: { runs: number; signal?: AbortSignal | undefined } = { runs: 0 }
  const handler: RequestHandler = (req, res, next) => {
    seen.runs += 1
    if (seen.runs > 1) return void res.status(201).json({ run: seen.runs })
    seen.signal = req.provisioning?.signal
    started.open()
    void finish.opened.then(() => answer(req, res, next))
  }
  return { started, finish, seen, handler }
}

/** Hangs up while a handler works, lets it answer after it knows, and runs checks. */
function afterHangUp(
  answer: RequestHandler,
  check: (server: RedeemingServer, key: string, seen: { readonly runs: number }) => Promise<void>,
): Promise<void> {
  const { started, finish, seen, handler } = waitingHandler(answer)
  return withRedeeming({ handlers: [handler], verbs: farAway }, async (server) => {
    const key = await server.key()
    const hangUp = presentAndHangUp(server, key)
    await started.opened
    hangUp()
    await until(() => seen.signal?.aborted === true)
    finish.open()
    await check(server, key, seen)
  })
}

/** Checks that a handler runs once and redeems the key when its client hangs up before the answer. */
function redeemsAfterHangUp(answer: RequestHandler): Promise<void> {
  let runs = 0
  const [started, finish] = [gate(), gate()]
  const handler: RequestHandler = (req, res, next) => {
    runs += 1
    started.open()
    void finish.opened.then(() => answer(req, res, next))
  }
  return withRedeeming({ handlers: [handler] }, async (server) => {
    const key = await server.key()
    const hangUp = presentAndHangUp(server, key)
    await started.opened
    hangUp()
    await pause(50)
    finish.open()
    await until(async () => (await server.stateOf(key)) === 'redeemed')
    await server.act(key).expect(401)
    expect(runs).toBe(1)
  })
}

describe('a connection that breaks while the handler of a redeeming route runs', () => {
  test('aborts the signal of the handler, and leaves the key claimed until the handler has answered', () => {
    const { started, finish, seen, handler } = waitingHandler((_req, res) => void res.status(201).json({}))
    return withRedeeming({ handlers: [handler] }, async (server) => {
      const key = await server.key()
      const hangUp = presentAndHangUp(server, key)
      await started.opened
      expect(seen.signal?.aborted).toBe(false)
      hangUp()
      await until(() => seen.signal?.aborted === true)
      await server.act(key).expect(401)
      expect(await server.stateOf(key)).toBe('redeeming')
      finish.open()
      await until(async () => (await server.stateOf(key)) !== 'redeeming')
    })
  })

  test.each<[string, RequestHandler]>([
    ['answers with a success', (_req, res) => void res.status(201).json({ made: true })],
    [
      'streams a success',
      (_req, res) => {
        res.write('made')
        res.end()
      },
    ],
    ['pipes nothing but ends', (_req, res) => void res.end()],
  ])('redeems the key when the handler then %s: it is not run again', (_title, answer) =>
    afterHangUp(answer, async (server, key, seen) => {
      await until(async () => (await server.stateOf(key)) === 'redeemed')
      await server.act(key).expect(401)
      expect(seen.runs).toBe(1)
    }),
  )

  test.each<[string, RequestHandler]>([
    ['answers 500', (_req, res) => void res.status(500).json({})],
    ['answers 409', (_req, res) => void res.sendStatus(409)],
    ['passes an error on', (_req, _res, next) => next(new Error('aborted'))],
    ['goes on to the 404', (_req, _res, next) => next()],
  ])('releases the key when the handler then %s: the client may try again', (_title, answer) =>
    afterHangUp(answer, async (server, key) => {
      await until(async () => (await server.stateOf(key)) === 'issued')
      await server.act(key).expect(201, { run: 2 })
    }),
  )

  test.each<[string, RequestHandler]>([
    ['pipeline()', (_req, res, next) => void pipeline(createReadStream(__filename), res).catch(next)],
    ['res.sendFile() with a callback', (_req, res, next) => res.sendFile(__filename, next)],
    [
      'res.download() with a callback',
      (_req, res, next) => res.download(__filename, (error) => void (error && next(error))),
    ],
    ['an error of its own', (_req, _res, next) => next(new Error('failed'))],
  ])('redeems the key when a handler that does not read the signal fails by %s', (_title, answer) =>
    redeemsAfterHangUp(answer),
  )

  test('is not decided by a logger that copies all that is known of the request', () =>
    redeemsAfterHangUp((req, res) => {
      expect(JSON.parse(JSON.stringify({ ...req.provisioning }))).toHaveProperty('redemptionId')
      res.sendStatus(500)
    }))

  test('does not abort the signal of a handler that has answered', () => {
    let signal: AbortSignal | undefined
    const handler: RequestHandler = (req, res) => {
      signal = req.provisioning?.signal
      res.status(201).json({})
    }
    return withRedeeming({ handlers: [handler], verbs: farAway }, async (server) => {
      await server.act(await server.key()).expect(201)
      await pause(30)
      expect(signal?.aborted).toBe(false)
    })
  })

  test('runs no handler, and leaves the key as it was, when it breaks before the key is claimed', () => {
    let runs = 0
    const claiming = gate()
    const claim = gate()
    const verbs: RedeemingPlan['verbs'] = (store) => ({
      async redeem(...args) {
        claiming.open()
        await claim.opened
        return store.redeem(...args)
      },
    })
    const handler: RequestHandler = (_req, res) => {
      runs += 1
      res.status(201).json({})
    }
    return withRedeeming({ handlers: [handler], verbs }, async (server) => {
      const key = await server.key()
      const hangUp = presentAndHangUp(server, key)
      await claiming.opened
      hangUp()
      await pause(50)
      claim.open()
      await until(() => server.events.some(({ type }) => type === 'key.released'))
      expect(runs).toBe(0)
      await server.act(key).expect(201)
    })
  })

  test('never lets two handlers work for one key, however often and whenever the client hangs up', () => {
    let working = 0
    let mostAtOnce = 0
    let successes = 0
    let runs = 0
    const handler: RequestHandler = async (req, res) => {
      const { signal } = req.provisioning ?? {}
      working += 1
      runs += 1
      mostAtOnce = Math.max(mostAtOnce, working)
      const last = runs >= 8
      await pause(12)
      expect(signal).toBeDefined()
      working -= 1
      if (last) successes += 1
      res.sendStatus(last ? 201 : 500)
    }
    return withRedeeming({ handlers: [handler], verbs: farAway }, async (server) => {
      const key = await server.key()
      // On a busy machine most clients hang up before the handler runs. This test needs the others.
      for (let i = 0; i < 60 || (runs <= 2 && i < 1_000); i += 1) {
        const hangUp = presentAndHangUp(server, key)
        setTimeout(hangUp, 5 + ((i * 7) % 40))
        await pause(10)
      }
      await pause(100)
      const rest = await Promise.all(Array.from({ length: 10 }, () => server.act(key)))
      expect(rest.filter(({ status }) => status === 201).length).toBeLessThanOrEqual(1)
      expect(runs).toBeGreaterThan(2)
      expect(mostAtOnce).toBe(1)
      expect(successes).toBeLessThanOrEqual(1)
    })
  })

  test('leaves nothing behind when a client hangs up in the middle of a long answer', () => {
    let closed = false
    const handler: RequestHandler = (_req, res) => {
      res.on('close', () => {
        closed = true
      })
      const timer = setInterval(() => res.write('x'.repeat(10_000)), 2)
      res.on('close', () => clearInterval(timer))
    }
    return withRedeeming({ handlers: [handler] }, async (server) => {
      const key = await server.key()
      const sent = openRequest(server, { path: '/act', headers: { Authorization: `Bearer ${key}` } })
      sent.on('error', () => undefined).end()
      sent.on('response', (response) => response.once('data', () => sent.destroy()))
      await until(() => closed)
      expect(await server.stateOf(key)).toBe('redeemed')
    })
  })
})
