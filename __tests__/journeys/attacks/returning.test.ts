import { setTimeout as pause } from 'node:timers/promises'
import express, { type RequestHandler } from 'express'
import type { RedemptionHandler } from '../../../lib/index.js'
import { aClock } from '../../support/clock.js'
import { answerTo, openRequest } from '../../support/exact.js'
import {
  farAway,
  gate,
  keyRefOf,
  type RedeemingServer,
  until,
  withRedeeming,
} from '../../support/redeeming.js'
import { compressing } from '../../support/response-patching.js'

function presentAndHangUp(server: RedeemingServer, key: string): () => void {
  const sent = openRequest(server, { path: '/act', headers: { Authorization: `Bearer ${key}` } })
  sent.on('error', () => undefined).end()
  return () => void sent.destroy()
}

/** Sends a body without its last byte. */
function withhold(server: RedeemingServer, key: string, body: string) {
  const headers = {
    Authorization: `Bearer ${key}`,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  }
  const sent = openRequest(server, { path: '/act', headers })
  const status = answerTo(sent).then(
    (answer) => answer.status,
    () => 'broken off' as const,
  )
  sent.write(body.slice(0, -1))
  return { status, finish: () => void sent.end(body.slice(-1)) }
}

/** Counts its runs, and reads the body unless a parser has. */
function counting() {
  let runs = 0
  const returns: RedemptionHandler = async (req) => {
    if (!req.readableEnded) for await (const _chunk of req);
    runs += 1
    return { status: 201 }
  }
  return { runs: () => runs, returns }
}

const LONG = JSON.stringify({ name: 'a'.repeat(1_100_000) })

describe('many requests with one key', () => {
  test.each([
    ['near', {}],
    ['far away', { verbs: farAway }],
  ])('run the handler once, with a store that is %s', (_where, plan) => {
    let runs = 0
    const returns: RedemptionHandler = async () => {
      runs += 1
      await pause(10)
      return { status: 201 }
    }
    return withRedeeming({ ...plan, returns }, async (server) => {
      const key = await server.key()
      const answers = await Promise.all(Array.from({ length: 50 }, () => server.act(key)))
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
      expect(runs).toBe(1)
    })
  })
})

describe('a client that hangs up while the handler works', () => {
  /** Hangs up in the middle of the first run, which then ends as given. */
  async function hangingUp(
    end: RedemptionHandler,
    test: (server: RedeemingServer, key: string, runs: () => number) => Promise<void>,
  ): Promise<void> {
    const [started, finish] = [gate(), gate()]
    let runs = 0
    const returns: RedemptionHandler = async (...given) => {
      runs += 1
      if (runs > 1) return { status: 201 }
      started.open()
      await finish.opened
      return end(...given)
    }
    await withRedeeming({ returns, verbs: farAway }, async (server) => {
      const key = await server.key()
      const hangUp = presentAndHangUp(server, key)
      await started.opened
      hangUp()
      await pause(50)
      expect((await server.act(key)).status).toBe(401)
      expect(await server.stateOf(key)).toBe('redeeming')
      finish.open()
      await test(server, key, () => runs)
    })
  }

  test('cannot have it done twice: a success redeems the key', () =>
    hangingUp(
      () => ({ status: 201 }),
      async (server, key, runs) => {
        await until(async () => (await server.stateOf(key)) === 'redeemed')
        await server.act(key).expect(401)
        expect(runs()).toBe(1)
      },
    ))

  test.each<[string, RedemptionHandler]>([
    ['returns 409', () => ({ status: 409 })],
    ['throws', () => Promise.reject(new Error('taken'))],
    ['stops by the signal', async (_req, { signal }) => ({ status: signal.aborted ? 500 : 201 })],
  ])('can try again when the handler %s', (_title, end) =>
    hangingUp(end, async (server, key, runs) => {
      await until(async () => (await server.stateOf(key)) === 'issued')
      await server.act(key).expect(201)
      expect(runs()).toBe(2)
    }),
  )

  test('never has two handlers at work for one key', () => {
    let [working, mostAtOnce, runs] = [0, 0, 0]
    const returns: RedemptionHandler = async () => {
      working += 1
      runs += 1
      mostAtOnce = Math.max(mostAtOnce, working)
      await pause(12)
      working -= 1
      return { status: 500 }
    }
    return withRedeeming({ returns, verbs: farAway }, async (server) => {
      const key = await server.key()
      for (let i = 0; i < 40 || (runs <= 2 && i < 1_000); i += 1) {
        const hangUp = presentAndHangUp(server, key)
        setTimeout(hangUp, 5 + ((i * 7) % 40))
        await pause(10)
      }
      await pause(100)
      expect([runs > 2, mostAtOnce]).toEqual([true, 1])
    })
  })

  test('does not abort the signal of a handler that has ended', () => {
    let signal: AbortSignal | undefined
    const returns: RedemptionHandler = (_req, provisioning) => {
      signal = provisioning.signal
      return { status: 201 }
    }
    return withRedeeming({ returns }, async (server) => {
      await server.act(await server.key()).expect(201)
      await pause(30)
      expect(signal?.aborted).toBe(false)
    })
  })
})

describe('a body that is sent slowly', () => {
  test.each([
    ['and a parser before the guard', [express.json()]],
    ['and no parser', []],
  ])('reserves nothing until it is complete %s', (_title, before) => {
    const { runs, returns } = counting()
    return withRedeeming({ before, returns }, async (server) => {
      const key = await server.key()
      const slow = withhold(server, key, '{"name":"a"}')
      await pause(200)
      expect(await server.stateOf(key)).toBe('issued')
      await server.act(key).expect(201)
      slow.finish()
      expect([await slow.status, runs()]).toEqual([401, 1])
    })
  })

  test('starts nothing when the key is revoked before it ends', () => {
    const { runs, returns } = counting()
    return withRedeeming({ returns }, async (server) => {
      for (const body of ['{"name":"a"}', LONG]) {
        const key = await server.key()
        const slow = withhold(server, key, body)
        await pause(200)
        await server.keys.revokeKey(keyRefOf(key))
        slow.finish()
        expect([await slow.status, runs()]).toEqual([401, 0])
      }
    })
  })

  test('is broken off after three quarters of the lease when it is long, and the key is released', () => {
    const { runs, returns } = counting()
    return withRedeeming({ returns, options: { redemptionLeaseSeconds: 1 } }, async (server) => {
      const key = await server.key()
      const slow = withhold(server, key, LONG)
      await until(async () => (await server.stateOf(key)) === 'redeeming')
      expect(await slow.status).toBe('broken off')
      await until(async () => (await server.stateOf(key)) === 'issued')
      expect(runs()).toBe(0)
    })
  })
})

describe('other middlewares of the host', () => {
  /** Like express-session: sets the cookie with the head and saves the session before the answer ends. */
  const session: RequestHandler = (_req, res, next) => {
    const { writeHead, end } = res
    Object.assign(res, {
      writeHead(...args: Parameters<typeof writeHead>) {
        res.setHeader('Set-Cookie', [res.getHeader('Set-Cookie') ?? [], 'session=1'].flat().map(String))
        return writeHead.apply(res, args)
      },
      end(...args: Parameters<typeof end>) {
        setTimeout(() => end.apply(res, args), 10)
      },
    })
    next()
  }

  test.each([
    ['a compressing one', compressing(), 'x-compressed', 'yes'],
    ['one with a session', session, 'set-cookie', ['own=1', 'session=1']],
  ] as const)('may patch the response: %s', (_title, before, header, value) => {
    const body = Buffer.alloc(50_000, 'ab')
    const returns: RedemptionHandler = () => ({ headers: { 'Set-Cookie': 'own=1' }, body })
    return withRedeeming({ before: [before], returns, verbs: farAway }, async (server) => {
      const key = await server.key()
      const { status, bytes, headers } = await server.actExactly(key)
      expect([status, bytes.equals(body), headers[header]]).toEqual([200, true, value])
      expect(await server.stateOf(key)).toBe('redeemed')
    })
  })

  test.each([
    ['a compressing one', compressing()],
    ['one with a session', session],
  ])('let the refusal through alone, without any of the answer: %s', (_title, before) => {
    const verbs = () => ({ settle: async () => 'revoked' as const })
    const returns: RedemptionHandler = () => ({ status: 201, headers: { 'X-Made': 'leak' }, body: 'leak' })
    return withRedeeming({ before: [before], returns, verbs }, async (server) => {
      const { status, text, rawHeaders } = await server.actExactly(await server.key())
      expect([status, JSON.parse(text).error]).toEqual([401, 'invalid_token'])
      expect(JSON.stringify([text, rawHeaders])).not.toContain('leak')
    })
  })

  test('may answer in the place of the handler, and nothing is glued to that answer', () => {
    const timeout: RequestHandler = (_req, res, next) => {
      setTimeout(() => (res.headersSent ? res : res.status(503).send('too slow')), 20)
      next()
    }
    const ended = gate()
    let runs = 0
    const returns: RedemptionHandler = async () => {
      runs += 1
      await pause(80)
      setTimeout(ended.open, 30)
      return { status: 201, body: 'late' }
    }
    return withRedeeming({ before: [timeout], returns }, async (server) => {
      const key = await server.key()
      const { status, text } = await server.actExactly(key)
      expect([status, text, await server.stateOf(key)]).toEqual([503, 'too slow', 'redeeming'])
      await ended.opened
      expect(await server.stateOf(key)).toBe('redeemed')
      await server.act(key)
      expect(runs).toBe(1)
    })
  })
})

test('a clock that jumps beyond the key and back lets no second handler run beside the first', () => {
  const { clock, now } = aClock()
  const [started, finish] = [gate(), gate()]
  let runs = 0
  const returns: RedemptionHandler = async () => {
    runs += 1
    started.open()
    await finish.opened
    return { status: 201 }
  }
  return withRedeeming({ returns, options: { now } }, async (server) => {
    const key = await server.key()
    const first = server.act(key).then(({ status }) => status)
    await started.opened
    clock.ahead = 400
    expect(await first).toBe(401)
    clock.ahead = 0
    await server.act(key).expect(401)
    expect(runs).toBe(1)
    finish.open()
  })
})
