import { once } from 'node:events'
import { statSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { RequestHandler, Response } from 'express'
import { openRequest } from '../../support/exact.js'
import { until } from '../../support/redeeming.js'
import { compressing } from '../../support/response-patching.js'
import { ACT, type RetryingServer, requestFor, run, withRetrying } from '../../support/retrying.js'

const crumbs = (count: number) => Array.from({ length: count }, (_, i) => Buffer.alloc(1000, i % 256))

async function politely(res: Response, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) if (!res.write(piece)) await once(res, 'drain')
  res.end()
}

/** Answers that arrive whole and are not stored. */
const UNKEPT: [title: string, handler: RequestHandler, bytes: number][] = [
  ['one of more than 64 KiB', (_req, res) => void res.send(Buffer.alloc(65_537)), 65_537],
  ['one whose head makes it longer than 64 KiB', (_req, res) => void res.send(Buffer.alloc(65_536)), 65_536],
  [
    'one in two small pieces',
    (_req, res) => {
      res.status(200).type('text').write('one ')
      res.end('two')
    },
    7,
  ],
  ['a small pipe', (_req, res) => void Readable.from(crumbs(2)).pipe(res), 2000],
  ['a file', (_req, res) => res.sendFile(__filename), statSync(__filename).size],
  [
    'one whose body begins later than its head',
    (_req, res) => {
      res.writeHead(200, { 'Content-Length': 1 })
      setTimeout(() => res.end('a'), 20)
    },
    1,
  ],
  ['one in many pieces, politely', (_req, res) => void politely(res, crumbs(500)), 500_000],
  [
    'one in many pieces, rudely',
    (_req, res) => {
      for (const piece of crumbs(500)) res.write(piece)
      res.end()
    },
    500_000,
  ],
  ['a pipe', (_req, res) => void Readable.from(crumbs(500)).pipe(res), 500_000],
  ['a pipeline', (_req, res) => void pipeline(Readable.from(crumbs(500)), res), 500_000],
  [
    'one that waits for each piece to be written',
    async (_req, res) => {
      for (const piece of crumbs(3)) await new Promise((resolve) => res.write(piece, resolve))
      res.end()
    },
    3000,
  ],
  [
    'one whose head is flushed',
    (_req, res) => {
      res.type('text/event-stream').flushHeaders()
      setTimeout(() => res.end('data: a\n\n'), 20)
    },
    9,
  ],
  [
    'one that takes more than a second',
    async (_req, res) => {
      for (const piece of crumbs(4)) {
        res.write(piece)
        await pause(400)
      }
      res.end()
    },
    4000,
  ],
  [
    'one with trailers',
    (_req, res) => {
      res.setHeader('Trailer', 'X-Sum')
      res.write('a')
      res.addTrailers({ 'X-Sum': '1' })
      res.end()
    },
    1,
  ],
]

const COMPRESSED: [title: string, handler: RequestHandler, bytes: number][] = [
  ['JSON', (_req, res) => void res.json({ made: 'yes' }), 14],
  ['bytes', (_req, res) => void res.send(Buffer.alloc(20_000, 'a')), 20_000],
  ['a pipe', (_req, res) => void Readable.from(crumbs(20)).pipe(res), 20_000],
]

describe('an answer that is not kept', () => {
  test.each(UNKEPT)('arrives whole, and asking again is refused without harm: %s', (_title, handler, bytes) =>
    withRetrying({ handlers: [handler] }, async (server) => {
      const key = await server.bound(ACT)
      const first = await run(server, key, ACT)
      expect([first.status, first.bytes.length]).toEqual([200, bytes])
      const again = await run(server, key, ACT)
      expect([again.status, server.refusal()]).toEqual([401, 'key_redeemed'])
      expect(await server.standing(key)).toEqual(['redeemed', false])
      expect([server.runs(), server.countEvents('key.replayed')]).toEqual([1, 0])
    }),
  )
})

test.each(COMPRESSED)(
  'an answer streamed by a compressing middleware behind the guard arrives whole, is not stored: %s',
  (_title, handler, bytes) =>
    withRetrying({ handlers: [compressing(), handler] }, async (server) => {
      const key = await server.bound(ACT)
      const first = await run(server, key, ACT)
      expect([first.status, first.bytes.length, first.headers['x-compressed']]).toEqual([200, bytes, 'yes'])
      const again = await run(server, key, ACT)
      expect([again.status, server.refusal()]).toEqual([401, 'key_redeemed'])
      expect(await server.standing(key)).toEqual(['redeemed', false])
      expect([server.runs(), server.countEvents('key.replayed')]).toEqual([1, 0])
    }),
)

/** The beginning of an answer, as soon as it arrives. */
async function beginning(server: RetryingServer, key: string): Promise<{ text: string; end(): void }> {
  const wanted = requestFor(key, ACT)
  const sent = openRequest(server, wanted)
  sent.on('error', () => undefined).end(wanted.body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  const [chunk] = await once(response, 'data')
  return { text: String(chunk), end: () => void sent.destroy() }
}

describe('an answer that does not end', () => {
  const ENDLESS: [title: string, handler: RequestHandler][] = [
    [
      'with its head flushed',
      (_req, res) => {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
        res.write('data: a\n\n')
      },
    ],
    ['with nothing flushed', (_req, res) => void res.type('text/event-stream').write('data: a\n\n')],
    [
      'with progress',
      (_req, res) => {
        const timer = setInterval(() => res.write('data: a\n\n'), 20)
        res.on('close', () => clearInterval(timer))
      },
    ],
  ]
  test.each(ENDLESS)('begins to arrive all the same, and its key is redeemed: %s', (_title, handler) =>
    withRetrying({ handlers: [handler] }, async (server) => {
      const key = await server.bound(ACT)
      const { text, end } = await beginning(server, key)
      expect(text).toContain('data: a\n\n')
      expect(await server.standing(key)).toEqual(['redeemed', false])
      end()
      expect((await run(server, key, ACT)).status).toBe(401)
      expect(await server.standing(key)).toEqual(['redeemed', false])
    }),
  )

  test('and whose connection breaks leaves its key redeemed', async () => {
    const handler: RequestHandler = (_req, res) => void res.write('a')
    await withRetrying({ handlers: [handler] }, async (server) => {
      const key = await server.bound(ACT)
      const wanted = requestFor(key, ACT)
      const sent = openRequest(server, wanted)
      sent.on('error', () => undefined).end(wanted.body)
      await until(() => server.runs() === 1)
      sent.destroy()
      await until(async () => (await server.standing(key))[0] === 'redeemed')
    })
  })
})
