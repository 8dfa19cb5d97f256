import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ErrorRequestHandler, RequestHandler, Response } from 'express'
import { memoryStore } from '../../lib/index.js'
import { openRequest } from '../support/exact.js'
import { farAway, REDEEM, startRedeeming } from '../support/redeeming.js'
import { obtainKey } from '../support/requests.js'
import { compressing } from '../support/response-patching.js'
import { startServer } from '../support/server.js'

const folder = mkdtempSync(join(tmpdir(), 'held-answer-'))
const file = join(folder, 'large.bin')
const large = randomBytes(1.5 * 1024 * 1024)
writeFileSync(file, large)
afterAll(() => rmSync(folder, { recursive: true }))

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** A million bytes in pieces that are far smaller than the high-water mark of a buffer. */
function* crumbs(): Generator<Buffer> {
  for (let at = 0; at < 1_000_000; at += 1000) yield large.subarray(at, at + 1000)
}

/** Writes only as fast as `write` and 'drain' allow. */
async function writePolitely(res: Response, pieces: Iterable<Buffer>): Promise<void> {
  for (const piece of pieces) {
    if (!res.write(piece)) await new Promise((resolve) => res.once('drain', resolve))
  }
  res.end()
}

/** A way to answer, and the answer that arrives. */
interface Way {
  readonly title: string
  readonly handler: RequestHandler
  readonly status?: number
  readonly bytes: Buffer
  readonly headers?: Record<string, string>
}

const WAYS: Way[] = [
  {
    title: 'writes in pieces',
    handler: (_req, res) => {
      res.status(201).type('text')
      res.write('one ')
      res.write(Buffer.from('two '))
      setTimeout(() => {
        res.write('746872656520', 'hex')
        res.end('four')
      }, 40)
    },
    status: 201,
    bytes: Buffer.from('one two three four'),
    headers: { 'content-type': 'text/plain; charset=utf-8', 'transfer-encoding': 'chunked' },
  },
  {
    title: 'waits for the callback of each write',
    handler: (_req, res) => {
      res.write('one ', () => res.write('two ', () => res.end('three', () => undefined)))
    },
    bytes: Buffer.from('one two three'),
  },
  {
    title: 'calls writeHead and end',
    handler: (_req, res) => {
      res.writeHead(202, 'Taken', { 'X-Made': 'yes', 'Content-Length': 4 }).end('done')
    },
    status: 202,
    bytes: Buffer.from('done'),
    headers: { 'x-made': 'yes', 'content-length': '4' },
  },
  {
    title: 'sets headers before writeHead, and overrides them in it',
    handler: (_req, res) => {
      res.setHeader('X-Made', 'before')
      res.writeHead(200, { 'X-Made': 'after' })
      res.end()
    },
    bytes: Buffer.alloc(0),
    headers: { 'x-made': 'after' },
  },
  {
    title: 'flushes the headers first',
    handler: (_req, res) => {
      res.setHeader('X-Made', 'yes')
      res.flushHeaders()
      setTimeout(() => res.end('later'), 40)
    },
    bytes: Buffer.from('later'),
    headers: { 'x-made': 'yes' },
  },
  {
    title: 'answers 204',
    handler: (_req, res) => void res.sendStatus(204),
    status: 204,
    bytes: Buffer.alloc(0),
  },
  {
    title: 'pipes a file',
    handler: (_req, res) => void createReadStream(file).pipe(res),
    bytes: large,
  },
  {
    title: 'pipes a stream of many small pieces',
    handler: (_req, res) => void Readable.from(crumbs()).pipe(res),
    bytes: large.subarray(0, 1_000_000),
  },
  {
    title: 'runs a pipeline',
    handler: (_req, res) => void pipeline(createReadStream(file), res).catch(() => undefined),
    bytes: large,
  },
  {
    title: 'sends a file',
    handler: (_req, res) => res.sendFile(file),
    bytes: large,
    headers: { 'content-length': String(large.length), 'content-type': 'application/octet-stream' },
  },
  {
    title: 'writes politely',
    handler: (_req, res) => void writePolitely(res, crumbs()),
    bytes: large.subarray(0, 1_000_000),
  },
  {
    title: 'writes a lot without waiting',
    handler: (_req, res) => {
      for (const piece of crumbs()) res.write(piece)
      res.end()
    },
    bytes: large.subarray(0, 1_000_000),
  },
]

describe('a held answer', () => {
  test.each(WAYS)('arrives whole when the handler $title', async (way) => {
    const server = await startRedeeming({ handlers: [way.handler], verbs: farAway })
    try {
      const key = await server.key()
      const answer = await server.actExactly(key)
      expect({ status: answer.status, length: answer.bytes.length }).toEqual({
        status: way.status ?? 200,
        length: way.bytes.length,
      })
      expect(sha(answer.bytes)).toBe(sha(way.bytes))
      expect(answer.headers).toMatchObject(way.headers ?? {})
      expect(await server.stateOf(key)).toBe('redeemed')
    } finally {
      await server.close()
    }
  })

  const compressed = WAYS.filter(({ title }) => /whole|pieces|pipe|file|polite|lot|flush|204/.test(title))
  const places = [
    {
      place: 'before',
      plan: (handler: RequestHandler) => ({ before: [compressing()], handlers: [handler] }),
    },
    { place: 'after', plan: (handler: RequestHandler) => ({ handlers: [compressing(), handler] }) },
  ]

  describe.each(places)('with a compressing middleware $place the guard', ({ plan }) => {
    test.each(compressed)(
      'arrives whole when the handler $title',
      async ({ handler, status = 200, bytes }) => {
        const server = await startRedeeming({ ...plan(handler), verbs: farAway })
        try {
          const key = await server.key()
          const answer = await server.actExactly(key)
          expect(answer.status).toBe(status)
          expect(sha(answer.bytes)).toBe(sha(bytes))
          expect(answer.headers['x-compressed']).toBe('yes')
          expect(await server.stateOf(key)).toBe('redeemed')
        } finally {
          await server.close()
        }
      },
    )
  })

  test.each(places)(
    'gives way to a refusal with a compressing middleware $place the guard',
    async ({ plan }) => {
      const verbs = () => ({ settle: async () => 'revoked' as const })
      for (const { handler } of compressed) {
        const server = await startRedeeming({ ...plan(handler), verbs })
        try {
          const answer = await server.actExactly(await server.key())
          expect(answer.status).toBe(401)
          expect(JSON.parse(answer.text)).toMatchObject({ error: 'invalid_token' })
        } finally {
          await server.close()
        }
      }
    },
  )

  test.each<[string, RequestHandler]>([
    [
      'has written a piece',
      (_req, res, next) => {
        res.write('a piece')
        next(new Error('late'))
      },
    ],
    [
      'has written the head',
      (_req, res, next) => {
        res.writeHead(200)
        next(new Error('late'))
      },
    ],
    [
      'has flushed the head',
      (_req, res, next) => {
        res.flushHeaders()
        next(new Error('late'))
      },
    ],
  ])('has no error page after it when a handler fails that %s', async (_title, failing) => {
    // It does not check whether the headers are sent.
    const careless: ErrorRequestHandler = (_error, _req, res, _next) => {
      try {
        res.status(500).json({ page: 'of the host' })
      } catch {
        res.destroy()
      }
    }
    const memory = memoryStore()
    const store = { ...memory, ...farAway(memory) }
    const server = await startServer({
      options: { store },
      mount(app, keys) {
        app.use(keys.router())
        app.post('/act', keys.redeemProvisioningKey(REDEEM), failing, careless)
      },
    })
    try {
      const key = await obtainKey(server, { scope: 'devices:create' })
      const sent = openRequest(server, { path: '/act', headers: { Authorization: `Bearer ${key}` } })
      const received: Buffer[] = []
      sent
        .on('error', () => undefined)
        .on('response', (response) => {
          response.on('error', () => undefined).on('data', (chunk: Buffer) => received.push(chunk))
        })
      sent.end()
      await new Promise((resolve) => sent.once('close', resolve))
      expect(Buffer.concat(received).toString()).not.toContain('of the host')
    } finally {
      await server.close()
    }
  })

  test('lets no more of a source into memory than a stream would, while the store takes its time', async () => {
    let read = 0
    const counting: RequestHandler = (_req, res) => {
      const source = createReadStream(file)
      source.on('data', (chunk) => {
        read += chunk.length
      })
      source.pipe(res)
    }
    let atSettling = 0
    const server = await startRedeeming({
      handlers: [counting],
      verbs: (store) => ({
        async settle(...args) {
          await new Promise((resolve) => setTimeout(resolve, 200))
          atSettling = read
          return store.settle(...args)
        },
      }),
    })
    try {
      expect((await server.actExactly(await server.key())).bytes).toHaveLength(large.length)
      expect(atSettling).toBeLessThan(512 * 1024)
    } finally {
      await server.close()
    }
  })
})
