import { createHash } from 'node:crypto'
import type { ClientRequest } from 'node:http'
import express, { type Request, type RequestHandler } from 'express'
import { openRequest } from '../../support/exact.js'
import { gate, until } from '../../support/redeeming.js'
import {
  ACT,
  type Errand,
  lasting,
  type RetryingPlan,
  type RetryingServer,
  requestFor,
  run,
  runAndHangUp,
  withRetrying,
} from '../../support/retrying.js'

const done: RequestHandler = (_req, res) => void res.status(201).json({ made: Math.random() })

/** Answers after the handler has read the body. */
const reading =
  (read: (req: Request) => Promise<unknown>): RequestHandler =>
  (req, res, next) =>
    void read(req).then(() => done(req, res, next), next)

const WAYS: [title: string, plan: RetryingPlan][] = [
  ['is parsed before the guard', { before: [express.json(), express.text(), express.raw({ type: '*/*' })] }],
  ['is parsed after the guard', { handlers: [express.json(), express.raw({ type: '*/*' }), done] }],
  [
    'is parsed before the guard and changed by the handler',
    {
      before: [express.json({ type: '*/*', strict: false })],
      handlers: [
        (req, _res, next) => {
          req.body = { ...req.body, id: Math.random() }
          Object.assign(req.body, { at: Date.now() })
          next()
        },
        done,
      ],
    },
  ],
  [
    'is read by events',
    {
      handlers: [
        reading((req) => new Promise((resolve) => void req.on('data', () => undefined).on('end', resolve))),
      ],
    },
  ],
  [
    'is read as text',
    {
      handlers: [
        reading((req) => {
          req.setEncoding('utf8')
          return new Promise((resolve) => void req.on('data', () => undefined).on('end', resolve))
        }),
      ],
    },
  ],
  [
    'is read by read()',
    {
      handlers: [
        reading((req) => {
          req.on('readable', () => {
            while (req.read() !== null);
          })
          return new Promise((resolve) => void req.on('end', resolve))
        }),
      ],
    },
  ],
  [
    'is iterated over',
    {
      handlers: [
        reading(async (req) => {
          for await (const chunk of req) expect(chunk.length).toBeGreaterThan(0)
        }),
      ],
    },
  ],
  [
    'is piped',
    {
      handlers: [
        reading((req) => {
          const hash = createHash('sha256')
          return new Promise((resolve) => void req.pipe(hash).on('finish', resolve))
        }),
      ],
    },
  ],
  ['is read by nobody', { handlers: [done] }],
]

const BODIES: [title: string, errand: Partial<Errand>][] = [
  ['JSON', {}],
  ['more JSON than one piece', { body: JSON.stringify({ name: 'ä'.repeat(40_000) }) }],
]

describe.each(WAYS)('a body that %s', (_title, plan) => {
  test.each(BODIES)('is told from others, and is the same as itself: %s', (_what, rest) =>
    withRetrying(plan, async (server) => {
      const errand = { ...ACT, ...rest }
      const key = await server.bound(errand)
      const first = await run(server, key, errand)
      expect(first.status).toBe(201)
      expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
      expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
      expect(server.runs()).toBe(1)
      const other = await run(server, key, { ...errand, body: `${errand.body?.slice(0, -1)},"x":1}` })
      expect([other.status, server.refusal()]).toEqual([401, 'key_redeemed'])
      expect(await server.standing(key)).toEqual(['redeemed', true])
    }),
  )
})

const { headers: _headers, body: _body, ...BARE } = ACT
const UNREAD: [title: string, errand: Errand][] = [
  ['no body', BARE],
  ['another method and no body', { ...BARE, method: 'GET' }],
  ['an empty body', { ...BARE, body: '' }],
  ['a small body', ACT],
]

test.each(UNREAD)(
  'a request with %s that nobody read is answered again after a broken connection',
  async (_title, errand) => {
    const started = gate()
    const finish = gate()
    const handler: RequestHandler = async (_req, res) => {
      started.open()
      await finish.opened
      res.status(201).json({ made: Math.random() })
    }
    await withRetrying({ handlers: [handler] }, async (server) => {
      const key = await server.bound(errand)
      const hangUp = runAndHangUp(server, key, errand)
      await started.opened
      hangUp()
      await new Promise((resolve) => setTimeout(resolve, 100))
      finish.open()
      await until(() => server.countEvents('key.redeemed') === 1)
      expect(await run(server, key, errand)).toMatchObject({ status: 201 })
      expect([server.runs(), server.countEvents('redemption.repeated')]).toEqual([1, 1])
    })
  },
)

/** Bodies whose answers are not stored. A retry is refused and revokes nothing. */
const UNTOLD: [title: string, plan: RetryingPlan, errand: Partial<Errand>][] = [
  ['of more than 1 MiB', { handlers: [done] }, { body: Buffer.alloc(1_048_577, 'a') }],
  [
    'of more than 1 MiB that was read',
    { handlers: [express.raw({ type: '*/*', limit: '2mb' }), done] },
    { body: Buffer.alloc(1_048_577, 'a') },
  ],
  [
    'that somebody before the guard has taken',
    { before: [(req, _res, next) => void req.on('data', () => undefined).on('end', () => next())] },
    {},
  ],
  [
    'of a form with files of which a parser has left the fields',
    {
      before: [
        express.raw({ type: '*/*' }),
        (req, _res, next) => {
          req.body = { field: 'a' }
          next()
        },
      ],
    },
    { headers: { 'Content-Type': 'multipart/form-data; boundary=x' }, body: '--x--' },
  ],
  [
    'that became objects of which JSON says nothing',
    {
      before: [
        express.raw({ type: '*/*' }),
        (req, _res, next) => {
          req.body = new Map([['a', 1]])
          next()
        },
      ],
    },
    { headers: { 'Content-Type': 'application/xml' }, body: '<a/>' },
  ],
]

describe('a body that cannot be told from others', () => {
  test.each(UNTOLD)('redeems the key, and a retry is refused without harm: one %s', (_title, plan, rest) =>
    withRetrying(plan, async (server) => {
      const errand = { ...ACT, ...rest }
      const key = await server.bound(errand)
      expect((await run(server, key, errand)).status).toBe(201)
      const again = await run(server, key, errand)
      expect([again.status, server.refusal()]).toEqual([401, 'key_redeemed'])
      expect(await server.standing(key)).toEqual(['redeemed', false])
      expect([server.runs(), server.countEvents('key.replayed')]).toEqual([1, 0])
    }),
  )

  test('is that of a repetition which breaks off: it contains nothing', () =>
    withRetrying({ handlers: [express.json(), done] }, async (server) => {
      const key = await server.bound(ACT)
      const first = await run(server, key, ACT)
      const { headers, ...wanted } = requestFor(key, ACT)
      const sent = openRequest(server, { ...wanted, headers: { ...headers, 'Content-Length': 1000 } })
      sent.on('error', () => undefined)
      sent.write('{"name":"a', () => setTimeout(() => sent.destroy(), 100))
      await until(() => server.refusal() === 'body_incomplete')
      expect(await server.standing(key)).toEqual(['redeemed', false])
      expect(lasting(await run(server, key, ACT))).toEqual(lasting(first))
    }))
})

describe('while other clients fill the memory for bodies', () => {
  const errand = { ...ACT, body: JSON.stringify({ name: 'a'.repeat(200_000) }) }

  /** Sends all but the last byte of bodies of 1 MiB. 65 of them fit. */
  async function crowd(server: RetryingServer, size: number): Promise<readonly ClientRequest[]> {
    const body = Buffer.alloc(1_048_575, 'a')
    const keys = await Promise.all(Array.from({ length: size }, () => server.bearer(ACT)))
    return keys.map((key) => {
      const wanted = requestFor(key, { ...ACT, body }, { scheme: 'Bearer', prover: null })
      const headers = { ...wanted.headers, 'Content-Length': body.length + 1 }
      const sent = openRequest(server, { ...wanted, headers })
      sent.on('error', () => undefined).write(body)
      return sent
    })
  }

  test('an owner that repeats its request waits, and loses nothing', () =>
    withRetrying({ handlers: [express.json({ limit: '2mb' }), done] }, async (server) => {
      const [key, other] = [await server.bound(errand), await server.bound(errand)]
      const first = await run(server, key, errand)
      const sent = [...(await crowd(server, 64))]
      const again = () => run(server, key, errand)
      await until(async () => {
        if ((await again()).status === 409) return true
        sent.push(...(await crowd(server, 1)))
        return false
      })
      expect(server.refusal()).toBe('redemption_pending')
      // The answer to a first request is not kept now, and its repetition is refused without harm.
      expect((await run(server, other, errand)).status).toBe(201)
      for (const one of sent) one.destroy()
      await until(async () => (await again()).status === 201)
      expect(lasting(await again())).toEqual(lasting(first))
      expect((await run(server, other, errand)).status).toBe(401)
      expect(server.countEvents('key.replayed')).toBe(0)
      for (const one of [key, other]) expect(await server.standing(one)).toEqual(['redeemed', false])
      // A request with a body of another length is another request.
      expect((await run(server, other, { ...errand, body: '{}' })).status).toBe(401)
      expect(server.countEvents('key.replayed')).toBe(1)
    }))
})

test('a form with files that nobody has parsed before the guard is told by its bytes', () =>
  withRetrying({ handlers: [express.raw({ type: '*/*' }), done] }, async (server) => {
    const part = '--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    const body = Buffer.concat([Buffer.from(part), Buffer.from([0, 255, 254, 13]), Buffer.from('\r\n--x--')])
    const errand = { ...ACT, headers: { 'Content-Type': 'multipart/form-data; boundary=x' }, body }
    const key = await server.bound(errand)
    const first = await run(server, key, errand)
    expect(lasting(await run(server, key, errand))).toEqual(lasting(first))
    const other = { ...errand, body: Buffer.from(body.map((byte) => (byte === 254 ? 253 : byte))) }
    expect((await run(server, key, other)).status).toBe(401)
    expect(await server.standing(key)).toEqual(['redeemed', true])
  }))
