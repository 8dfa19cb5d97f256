import type { RequestHandler } from 'express'
import { farAway } from '../../support/redeeming.js'
import { compressing } from '../../support/response-patching.js'
import { ACT, type Errand, lasting, type RetryingPlan, run, withRetrying } from '../../support/retrying.js'

const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7) % 256))

const fresh = () => String(Math.random())

const WAYS: [title: string, handler: RequestHandler, errand?: Partial<Errand>][] = [
  ['json', (_req, res) => void res.status(201).json({ a: fresh() })],
  [
    'send, with headers',
    (_req, res) => void res.set({ 'X-Made': fresh(), ETag: '"a"' }).location('/a').send(fresh()),
  ],
  ['cookies', (_req, res) => void res.cookie('a', fresh()).cookie('b', fresh()).clearCookie('c').end()],
  ['bytes', (_req, res) => void res.type('bin').send(Buffer.concat([bytes, Buffer.from(fresh())]))],
  ['bytes in text that is hex', (_req, res) => void res.end(Buffer.from(fresh()).toString('hex'), 'hex')],
  ['nothing', (_req, res) => void res.set('X-Made', fresh()).end()],
  ['204', (_req, res) => void res.set('X-Made', fresh()).sendStatus(204)],
  ['a redirection', (_req, res) => res.redirect(303, `/devices/${fresh()}`)],
  ['a reason phrase', (_req, res) => void res.writeHead(202, 'Taken well', { 'X-Made': fresh() }).end('a')],
  [
    'a reason phrase of its own',
    (_req, res) => {
      res.statusMessage = 'Mine'
      res.end(fresh())
    },
  ],
  [
    'headers in a list',
    (_req, res) => void res.writeHead(200, ['X-Made', fresh(), 'Link', '<a>', 'Link', '<b>']).end(),
  ],
  [
    'headers in a list with lists',
    (_req, res) =>
      void res.writeHead(200, ['Set-Cookie', ['a=1', `b=${fresh()}`], 'X-Made', 'a'] as never).end(),
  ],
  [
    'headers twice',
    (_req, res) => {
      res.setHeader('X-Made', 'before')
      res.writeHead(200, { 'x-made': fresh(), 'Content-Length': 1 }).end('a')
    },
  ],
  ['GET', (_req, res) => void res.json({ a: fresh() }), { method: 'GET' }],
  ['not acceptable, which it settles', (_req, res) => void res.status(406).send(fresh())],
  ['the body after a while', (_req, res) => void setTimeout(() => res.send(fresh()), 60)],
  [
    'less headers than there were',
    (_req, res) => {
      res.removeHeader('X-Powered-By')
      res.json({ a: fresh() })
    },
  ],
  ['60,000 bytes', (_req, res) => void res.send(Buffer.alloc(60_000, fresh()))],
]

const { body: _, headers: __, ...BARE } = ACT

const PLACES: [place: string, plan: (handler: RequestHandler) => RetryingPlan][] = [
  ['', (handler) => ({ handlers: [handler] })],
  [
    'with a compressing middleware before the guard',
    (handler) => ({ before: [compressing()], handlers: [handler] }),
  ],
  ['with a store that is far away', (handler) => ({ handlers: [handler], verbs: farAway })],
]

const SOME = WAYS.filter(([title]) => /json|cookies|204|list|GET|bytes/.test(title))

describe.each(PLACES)('an answer %s', (place, plan) => {
  test.each(place === '' ? WAYS : SOME)('is given again byte for byte: %s', (_title, handler, rest = {}) =>
    withRetrying(plan(handler), async (server) => {
      const errand = { ...BARE, ...rest }
      const key = await server.bound(errand)
      const first = await run(server, key, errand)
      const { 'content-length': length, ...headers } = lasting(first).headers
      expect(first.status).not.toBe(500)
      for (const _again of [1, 2]) {
        const { headers: again, ...rest } = lasting(await run(server, key, errand))
        expect(rest).toMatchObject({
          status: first.status,
          statusMessage: first.statusMessage,
          bytes: first.bytes.toString('base64'),
        })
        // If `writeHead` wrote the head, only the repeated answer has a length.
        const { 'content-length': lengthAgain = length, ...others } = again
        expect(others).toEqual(headers)
        expect(lengthAgain).toBe(length ?? lengthAgain)
      }
      expect([server.runs(), server.countEvents('redemption.repeated')]).toEqual([1, 2])
    }),
  )
})

test('an answer again has the headers of those before the guard as they are now', async () => {
  let requests = 0
  const before: RequestHandler = (_req, res, next) => {
    requests += 1
    res.setHeader('X-Request-Id', String(requests))
    res.setHeader('X-Overwritten', String(requests))
    res.cookie('theirs', requests)
    res.cookie('theirs-too', requests)
    next()
  }
  const handler: RequestHandler = (_req, res) => {
    res.cookie('ours', 1).set('X-Overwritten', 'ours').vary('Origin').json({})
  }
  const rateLimit = { redeem: { limit: 50 } }
  await withRetrying({ before: [before], handlers: [handler], options: { rateLimit } }, async (server) => {
    const key = await server.bound(BARE)
    const [first, second] = [await run(server, key, BARE), await run(server, key, BARE)]
    expect([first.headers['x-request-id'], second.headers['x-request-id']]).toEqual(['1', '2'])
    expect(second.headers['x-overwritten']).toBe('ours')
    const cookies = (n: number) => [`theirs=${n}; Path=/`, `theirs-too=${n}; Path=/`, 'ours=1; Path=/']
    expect([first.headers['set-cookie'], second.headers['set-cookie']]).toEqual([cookies(1), cookies(2)])
    expect(second.headers.ratelimit).toMatch(/r=48/)
    expect(first.headers.ratelimit).toMatch(/r=49/)
    expect(second.headers.vary).toBe('Origin')
  })
})
