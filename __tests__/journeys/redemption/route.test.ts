import type { RequestHandler } from 'express'
import { getProvisioning } from '../../../lib/index.js'
import {
  farAway,
  gate,
  IS_EXPRESS_4,
  type RedeemingPlan,
  refOf,
  withRedeeming,
} from '../../support/redeeming.js'
import { AUDIENCE } from '../../support/server.js'

const created: RequestHandler = (_req, res) => void res.status(201).json({ made: true })

/** A handler that fails the first time and works afterwards. */
function failingOnce(fail: RequestHandler): RequestHandler {
  let runs = 0
  return (req, res, next) => {
    runs += 1
    return runs > 1 ? void res.status(201).json({ runs }) : fail(req, res, next)
  }
}

describe('a route that redeems', () => {
  test('redeems the key of a handler that succeeds, and runs no handler for it again', () => {
    let runs = 0
    const counting: RequestHandler = (_req, res) => {
      runs += 1
      res.status(201).json({ runs })
    }
    return withRedeeming({ handlers: [counting] }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(201, { runs: 1 })
      await server.act(key).expect(401)
      expect(runs).toBe(1)
      expect(server.events.map(({ type }) => type)).toEqual([
        'key.issued',
        'key.redeemed',
        'key.replayed',
        'request.refused',
      ])
    })
  })

  test('tells the client of a success only after the key is settled', () => {
    const settling = gate()
    let settled = false
    const verbs: RedeemingPlan['verbs'] = (store) => ({
      async settle(...args) {
        await settling.opened
        settled = true
        return store.settle(...args)
      },
    })
    return withRedeeming({ handlers: [created], verbs }, async (server) => {
      const key = await server.key()
      let answered = false
      const answer = server.act(key).then((response) => {
        answered = true
        return response
      })
      await new Promise((resolve) => setTimeout(resolve, 150))
      expect(answered).toBe(false)
      settling.open()
      expect(await answer).toMatchObject({ status: 201, body: { made: true } })
      expect(settled).toBe(true)
      expect(await server.stateOf(key)).toBe('redeemed')
    })
  })

  test.each([200, 201, 202, 204, 302, 303])('redeems the key when the handler answers %d', (status) =>
    withRedeeming({ handlers: [(_req, res) => void res.status(status).end()] }, async (server) => {
      const key = await server.key()
      await server.act(key).redirects(0).expect(status)
      expect(await server.stateOf(key)).toBe('redeemed')
    }),
  )

  test.each([400, 404, 409, 422, 500, 503])(
    'releases the key when the handler answers %d, so that it may be presented again',
    (status) => {
      const failing = failingOnce((_req, res) => void res.status(status).json({ fault: 'mine' }))
      return withRedeeming({ handlers: [failing] }, async (server) => {
        const key = await server.key()
        await server.act(key).expect(status, { fault: 'mine' })
        expect(await server.stateOf(key)).toBe('issued')
        await server.act(key).expect(201, { runs: 2 })
        expect(await server.stateOf(key)).toBe('redeemed')
      })
    },
  )

  const failures: [string, Parameters<typeof failingOnce>[0]][] = [
    [
      'throws',
      () => {
        throw new Error('boom')
      },
    ],
    ['passes an error on', (_req, _res, next) => next(new Error('boom'))],
    ['answers with a value that is no JSON', (_req, res) => void res.json({ n: 1n })],
    ['passes an error on later', (_req, _res, next) => void setTimeout(() => next(new Error('boom')), 10)],
  ]
  if (!IS_EXPRESS_4) failures.push(['rejects', () => Promise.reject(new Error('boom'))])

  test.each(failures)('releases the key when the handler %s', (_title, fail) =>
    withRedeeming({ handlers: [failingOnce(fail)] }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(500)
      expect(await server.stateOf(key)).toBe('issued')
      await server.act(key).expect(201)
      expect(server.events).toContainEqual(
        expect.objectContaining({ type: 'key.released', action: 'route', keyId: refOf(key).jti }),
      )
    }),
  )

  test('releases the key when the handler leaves the request to the 404 of the app', () =>
    withRedeeming({ handlers: [failingOnce((_req, _res, next) => next())] }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(404)
      await server.act(key).expect(201)
    }))

  test.each<[string, RequestHandler]>([
    [
      'throws after it has answered',
      (_req, res) => {
        res.status(201).json({ made: true })
        throw new Error('late')
      },
    ],
    [
      'passes on an error after it has answered',
      (_req, res, next) => {
        res.status(201).json({ made: true })
        next(new Error('late'))
      },
    ],
    [
      'goes on to the 404 after it has answered',
      (_req, res, next) => {
        res.status(201).json({ made: true })
        next()
      },
    ],
    [
      'answers twice',
      (_req, res) => {
        res.status(201).json({ made: true })
        try {
          res.status(500).json({ made: false })
        } catch {
          /* Express says so: the headers have been sent. */
        }
      },
    ],
  ])('lets the first answer stand, whole, when the handler %s', (_title, handler) =>
    withRedeeming({ handlers: [handler], verbs: farAway }, async (server) => {
      const key = await server.key()
      const answer = await server.actExactly(key)
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 201, text: '{"made":true}' })
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(answer.headers['content-length']).toBe('13')
      expect(await server.stateOf(key)).toBe('redeemed')
    }),
  )

  test('takes nothing more from a handler that has answered', () => {
    let seen: object | undefined
    const going: RequestHandler = (_req, res) => {
      res.status(201).json({ made: true })
      res.status(500).setHeader('X-Late', 'yes').write('late')
      seen = { writableEnded: res.writableEnded }
    }
    return withRedeeming({ handlers: [going] }, async (server) => {
      const answer = await server.actExactly(await server.key())
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 201, text: '{"made":true}' })
      expect(answer.headers).not.toHaveProperty('x-late')
      expect(seen).toEqual({ writableEnded: true })
    })
  })

  test('gives the handler the identity and a signal, and no key', () => {
    const telling: RequestHandler = (req, res) => {
      const { signal, ...identity } = getProvisioning(req)
      res.json({ identity, signal: signal?.aborted, headers: req.headers, raw: req.rawHeaders })
    }
    return withRedeeming({ handlers: [telling] }, async (server) => {
      const key = await server.key()
      const { body, text } = await server.act(key).expect(200)
      expect(body.identity).toMatchObject({
        clientId: 'ci-runner',
        keyId: refOf(key).jti,
        audience: AUDIENCE,
      })
      expect(body.signal).toBe(false)
      expect(text).not.toContain(key.split('.')[2])
    })
  })
})
