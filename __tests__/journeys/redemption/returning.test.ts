import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { ConfigurationError, ProvisioningError, type RedemptionHandler } from '../../../lib/index.js'
import { aClock } from '../../support/clock.js'
import { farAway, gate, keyRefOf, type RedeemingPlan, refOf, withRedeeming } from '../../support/redeeming.js'
import { obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, startServer } from '../../support/server.js'

/** A handler that fails the first time and works afterwards. */
function failingOnce(fail: RedemptionHandler): RedemptionHandler {
  let runs = 0
  return (req, provisioning) => {
    runs += 1
    return runs > 1 ? { status: 201, body: { runs } } : fail(req, provisioning)
  }
}

const types = (server: { readonly events: readonly { readonly type: string }[] }) =>
  server.events.map(({ type }) => type)

describe('a handler that returns its answer', () => {
  test('redeems the key, and does not run for the key again', () => {
    let runs = 0
    const returns: RedemptionHandler = async () => {
      runs += 1
      return { status: 201, headers: { Location: '/devices/7' }, body: { runs } }
    }
    return withRedeeming({ returns }, async (server) => {
      const key = await server.key()
      const first = await server.act(key).expect(201, { runs: 1 })
      expect(first.headers).toMatchObject({
        location: '/devices/7',
        'content-type': 'application/json; charset=utf-8',
        'content-length': '10',
      })
      await server.act(key).expect(401)
      expect(runs).toBe(1)
      expect(types(server)).toEqual(['key.issued', 'key.redeemed', 'key.replayed', 'request.refused'])
    })
  })

  test('has its answer sent only after the key is settled', () => {
    const settling = gate()
    let isSettled = false
    const verbs: RedeemingPlan['verbs'] = (store) => ({
      async settle(...given) {
        await settling.opened
        isSettled = true
        return store.settle(...given)
      },
    })
    return withRedeeming({ returns: () => ({ status: 201 }), verbs }, async (server) => {
      const key = await server.key()
      let isAnswered = false
      const answer = server.act(key).then(({ status }) => {
        isAnswered = true
        return status
      })
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect([isAnswered, isSettled]).toEqual([false, false])
      settling.open()
      expect([await answer, isSettled]).toEqual([201, true])
    })
  })

  test('gets the identity, a signal and the name of the redemption, and no key', () => {
    const returns: RedemptionHandler = (req, provisioning) => {
      const { signal, redemptionId, ...identity } = provisioning
      const isSame = req.provisioning === provisioning
      return { body: { identity, isSame, aborted: signal.aborted, redemptionId, headers: req.headers } }
    }
    return withRedeeming({ returns }, async (server) => {
      const key = await server.key()
      const { body, text } = await server.act(key).expect(200)
      expect(body).toMatchObject({
        identity: { clientId: 'ci-runner', keyId: refOf(key).jti, audience: AUDIENCE },
        isSame: true,
        aborted: false,
        redemptionId: expect.any(String),
      })
      expect(text).not.toContain(key.split('.')[2])
    })
  })

  test('reads a body that a parser before the guard has read', () =>
    withRedeeming(
      { before: [express.json()], returns: (req) => ({ body: { got: req.body } }) },
      async (server) => {
        const key = await server.key()
        await server
          .act(key)
          .send({ name: 'a' })
          .expect(200, { got: { name: 'a' } })
      },
    ))

  test('reads a body that no parser has read', () => {
    const returns: RedemptionHandler = async (req) => {
      let text = ''
      for await (const chunk of req) text += chunk
      return { body: text }
    }
    return withRedeeming({ returns }, async (server) => {
      await server
        .act(await server.key())
        .type('text')
        .send('abc')
        .expect(200, 'abc')
    })
  })

  test('is the last of its route', () => {
    let runs = 0
    const after: RequestHandler = (_req, _res, next) => {
      runs += 1
      next()
    }
    return withRedeeming({ returns: () => ({}), handlers: [after] }, async (server) => {
      await server.act(await server.key()).expect(200)
      expect(runs).toBe(0)
    })
  })

  test.each([200, 201, 204, 303, 304])('redeems the key with the status %d', (status) =>
    withRedeeming({ returns: () => ({ status }) }, async (server) => {
      const key = await server.key()
      await server.act(key).redirects(0).expect(status)
      expect(await server.stateOf(key)).toBe('redeemed')
    }),
  )

  test.each([406, 412, 416])('redeems the key with the status %d, which a client can choose', (status) =>
    withRedeeming({ returns: () => ({ status }) }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(status)
      expect(await server.stateOf(key)).toBe('redeemed')
    }),
  )

  test.each([400, 404, 409, 422, 500, 503])('releases the key with the status %d', (status) => {
    const returns = failingOnce(async () => ({ status, body: { fault: 'mine' } }))
    return withRedeeming({ returns, verbs: farAway }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(status, { fault: 'mine' })
      expect(await server.stateOf(key)).toBe('issued')
      await server.act(key).expect(201, { runs: 2 })
    })
  })
})

describe('a handler that fails', () => {
  const boom = new Error('boom')
  const seen: unknown[] = []
  const noting: ErrorRequestHandler = (error, _req, res, _next) => {
    seen.push(error)
    res.status(500).json({ host: 'page' })
  }
  beforeEach(() => void seen.splice(0))

  const FAILURES: [title: string, fail: RedemptionHandler, error: unknown][] = [
    [
      'throws',
      () => {
        throw boom
      },
      boom,
    ],
    ['rejects', () => Promise.reject(boom), boom],
    ['rejects later', () => new Promise((_, reject) => setTimeout(reject, 10, boom)), boom],
    ['rejects with nothing', () => Promise.reject(undefined), expect.any(Error)],
    ['rejects with a word of Express', () => Promise.reject('route'), expect.any(Error)],
    [
      'returns a failure with a bad header',
      () => ({ status: 409, headers: { 'X-A': 'a\nb' } }),
      expect.any(ConfigurationError),
    ],
  ]

  /** Successes that cannot be sent. A client can cause them if its text becomes part of a header. */
  const UNSENDABLE: typeof FAILURES = [
    ['returns no answer', (() => undefined) as never, expect.any(ConfigurationError)],
    ['answers by the response', ((req: express.Request) => req.res) as never, expect.any(ConfigurationError)],
    ['returns a value that is no JSON', () => ({ body: { n: 1n } }), expect.any(ConfigurationError)],
    ['returns a bad header', () => ({ headers: { 'X-A': 'a\nb' } }), expect.any(ConfigurationError)],
  ]

  test.each([
    ...FAILURES.map((row) => [...row, 'releases'] as const),
    ...UNSENDABLE.map((row) => [...row, 'redeems'] as const),
  ])('hands its error on when it %s', async (_title, fail, error, effect) => {
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.router())
        const guard = keys.redeemProvisioningKey(
          { scope: 'devices:create', audience: AUDIENCE },
          failingOnce(fail),
        )
        app.post('/act', guard)
        app.use(noting)
      },
    })
    try {
      const key = await obtainKey(server, { scope: 'devices:create' })
      const act = () => send(server, 'post', '/act').set('Authorization', `Bearer ${key}`)
      await act().expect(500, { host: 'page' })
      expect(seen).toEqual([error])
      const isReleased = effect === 'releases'
      expect(types(server)).toEqual(['key.issued', isReleased ? 'key.released' : 'key.redeemed'])
      if (isReleased) await act().expect(201, { runs: 2 })
      else expect((await act()).status).not.toBe(201)
    } finally {
      await server.close()
    }
  })

  test('reports the fault of its answer in the event, and not to the client', () =>
    withRedeeming({ returns: (() => ({ statusCode: 201 })) as never }, async (server) => {
      const { text } = await server.act(await server.key()).expect(500)
      expect(text).not.toContain('statusCode')
      expect(server.events.at(-1)).toMatchObject({
        reason: 'server_fault',
        detail: expect.stringContaining('answer.statusCode'),
      })
    }))

  test('refuses by a ProvisioningError', () => {
    const returns = failingOnce(() => {
      throw new ProvisioningError('network_wrong', 'Not from here.', { disclosed: true })
    })
    return withRedeeming({ returns }, async (server) => {
      const key = await server.key()
      const { body, headers } = await server.act(key).expect(401)
      expect(body).toEqual({ error: 'invalid_token', error_description: 'Not from here.' })
      expect(headers['www-authenticate']).toContain('Bearer')
      expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', endpoint: 'redeem' })
      await server.act(key).expect(201)
    })
  })

  test('redeems the key when its error has a status that a client can choose', () => {
    const returns = failingOnce(() => Promise.reject(Object.assign(new Error('no'), { status: 406 })))
    return withRedeeming({ returns }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(406)
      expect(await server.stateOf(key)).toBe('redeemed')
    })
  })
})

describe('a key that ends while the handler works', () => {
  test('takes the place of the answer, which is dropped', () => {
    const [started, finish] = [gate(), gate()]
    const returns: RedemptionHandler = async () => {
      started.open()
      await finish.opened
      return { status: 201, headers: { 'X-Made': 'leak' }, body: 'leak' }
    }
    return withRedeeming({ returns }, async (server) => {
      const key = await server.key()
      const answer = server.actExactly(key)
      await started.opened
      expect(await server.keys.revokeKey(keyRefOf(key))).toBe('revoked')
      finish.open()
      const { status, text, rawHeaders } = await answer
      expect([status, JSON.stringify([text, rawHeaders])]).toEqual([401, expect.not.stringContaining('leak')])
      expect(types(server)).toEqual(['key.issued', 'key.revoked', 'request.refused'])
      expect(await server.stateOf(key)).toBe('revoked')
    })
  })

  test.each([
    ['is revoked', 'key_revoked'],
    ['expires', 'key_expired'],
  ])('is answered immediately, and aborts the signal of an endless handler, when it %s', (how, reason) => {
    const { clock, now } = aClock()
    const started = gate()
    let signal: AbortSignal | undefined
    const returns: RedemptionHandler = (_req, provisioning) => {
      signal = provisioning.signal
      started.open()
      return new Promise(() => undefined)
    }
    return withRedeeming({ returns, options: { now } }, async (server) => {
      const key = await server.key()
      const answer = server.act(key).then(({ status }) => status)
      await started.opened
      expect(signal?.aborted).toBe(false)
      if (how === 'expires') clock.ahead = 400
      else await server.keys.revokeKey(keyRefOf(key))
      expect(await answer).toBe(401)
      expect(signal?.reason).toMatchObject({ reason })
    })
  })

  test('is answered once, though the handler fails by the signal', () => {
    const seen: unknown[] = []
    const started = gate()
    const ended = gate()
    const returns: RedemptionHandler = async (_req, { signal }) => {
      started.open()
      try {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      } finally {
        setTimeout(ended.open, 20)
      }
      return {}
    }
    return withRedeeming({ returns }, async (server) => {
      server.app.use(((error, _req, _res, next) => {
        seen.push(error)
        next(error)
      }) as ErrorRequestHandler)
      const key = await server.key()
      const answer = server.act(key).then(({ status }) => status)
      await started.opened
      await server.keys.revokeKey(keyRefOf(key))
      expect(await answer).toBe(401)
      await ended.opened
      expect(seen).toEqual([])
      expect(types(server).filter((type) => type === 'request.refused')).toHaveLength(1)
    })
  })

  test.each<[string, NonNullable<RedeemingPlan['verbs']>, number]>([
    ['the store does not answer', () => ({ settle: () => Promise.reject(new Error('gone')) }), 503],
    ['the reservation was lost', () => ({ settle: async () => 'lost' }), 401],
    ['the key is unknown', () => ({ settle: async () => 'unknown' }), 401],
  ])('refuses a success that cannot be settled, since %s', (_title, verbs, status) =>
    withRedeeming({ returns: () => ({ status: 201, body: 'leak' }), verbs }, async (server) => {
      const { text } = await server.act(await server.key()).expect(status)
      expect(text).not.toContain('leak')
      expect(types(server)).not.toContain('key.redeemed')
    }),
  )
})

describe('the arguments of redeemProvisioningKey()', () => {
  const faulty: [title: string, args: unknown[], got: string][] = [
    ['a handler in the place of the options', [() => ({})], 'a function'],
    ['a handler that is undefined', [{}, undefined], 'undefined'],
    ['a handler that is an answer', [{}, { status: 201 }], 'an object'],
  ]
  test.each(faulty)('are rejected with what to write: %s', (_title, args, got) =>
    withRedeeming({ returns: () => ({}) }, async ({ keys }) => {
      const make = keys.redeemProvisioningKey as (...given: unknown[]) => RequestHandler
      const wanted = 'expected (options, async (req, provisioning) => ({ status, body }))'
      expect(() => make(...args)).toThrow(`redeemProvisioningKey: ${wanted}, got ${got}`)
    }),
  )
})
