import { createHash } from 'node:crypto'
import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Request, Response } from 'express'
import { ProvisioningError } from '../../lib/base/errors.js'
import { bodyReceiver, checkAtEnd, type ReceiveBody } from '../../lib/http/request-body.js'

type Handle = (req: Request, res: Response) => Promise<unknown>

let server: Server
let handle: Handle
let handled: (result: unknown) => void

beforeAll(
  () =>
    new Promise<void>((resolve) => {
      server = createServer((req, res) => {
        req.on('error', () => undefined)
        handle(req as Request, res as unknown as Response)
          .catch((error) => (error instanceof ProvisioningError ? error.reason : error))
          .then((result) => {
            handled(result)
            if (!res.writableEnded) res.end()
          })
      }).listen(0, '127.0.0.1', resolve)
    }),
)
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** The result of handling one request, and the request. */
function handling(wanted: Handle, send: (sent: ClientRequest) => void, headers = {}): Promise<unknown> {
  handle = wanted
  return new Promise((resolve) => {
    handled = resolve
    const { port } = server.address() as AddressInfo
    const sent = request({ port, host: '127.0.0.1', method: 'POST', agent: false, headers })
    sent.on('error', () => undefined)
    send(sent)
  })
}

const sha = (content: string | Buffer) => createHash('sha256').update(content).digest('base64url')
const receiving =
  (receive: ReceiveBody = bodyReceiver(), milliseconds = 60_000): Handle =>
  (req) =>
    receive(req, milliseconds)

const pieces = (sent: ClientRequest) => {
  sent.write('{"a":')
  setTimeout(() => sent.end('"\u00e4\u20ac"}'), 30)
}
const WHOLE = '{"a":"\u00e4\u20ac"}'

const READERS: [title: string, read: (req: IncomingMessage) => Promise<string>][] = [
  ['by events', (req) => collected(req, (take) => req.on('data', take))],
  ['as text', (req) => text(req)],
  [
    'by read()',
    (req) =>
      collected(req, (take) =>
        req.on('readable', () => {
          for (let chunk = req.read(3) ?? req.read(); chunk !== null; chunk = req.read(3) ?? req.read())
            take(chunk)
        }),
      ),
  ],
  [
    'by iteration',
    async (req) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    },
  ],
  ['after a pause', (req) => new Promise((resolve) => setTimeout(() => resolve(text(req)), 50))],
]

function collected(req: IncomingMessage, listen: (take: (chunk: Buffer) => unknown) => unknown) {
  const chunks: Buffer[] = []
  listen((chunk) => chunks.push(chunk))
  return new Promise<string>(
    (resolve) => void req.on('end', () => resolve(Buffer.concat(chunks).toString('utf8'))),
  )
}

describe('a body that is received before the key is reserved', () => {
  it.each(READERS)('is put back whole for a handler that reads it %s', async (_title, read) => {
    const receive = bodyReceiver()
    const way: Handle = async (req) => [await receive(req, 60_000), await read(req)]
    expect(await handling(way, pieces)).toEqual([{ isWhole: true, digest: sha(WHOLE) }, WHOLE])
    const long = 'a'.repeat(300_000)
    const received = await handling(way, (sent) => void sent.end(long))
    expect(received).toEqual([{ isWhole: true, digest: sha(long) }, long])
  })

  it.each<[string, (sent: ClientRequest) => void, object]>([
    ['no body', (sent) => void sent.end(), {}],
    ['an empty body', (sent) => void sent.end(), { 'Content-Length': 0 }],
    ['an empty body in no pieces', (sent) => void sent.end(), { 'Transfer-Encoding': 'chunked' }],
    [
      'an empty body that ends late',
      (sent) => {
        sent.flushHeaders()
        setTimeout(() => sent.end(), 50)
      },
      { 'Transfer-Encoding': 'chunked' },
    ],
  ])('ends for its reader, and has the digest of nothing: %s', async (_title, send, headers) => {
    const receive = bodyReceiver()
    const way: Handle = async (req) => [await receive(req, 60_000), await text(req)]
    expect(await handling(way, send, headers)).toEqual([{ isWhole: true, digest: sha('') }, ''])
  })

  it.each([
    [1_048_576, true],
    [1_048_577, false],
  ])('of %d bytes is held: %s', async (length, isWhole) => {
    const body = Buffer.alloc(length, 'a')
    const receive = bodyReceiver()
    const way: Handle = async (req) => [await receive(req, 60_000), (await text(req)).length]
    const received = await handling(way, (sent) => void sent.end(body))
    expect(received).toEqual([{ isWhole, digest: isWhole ? sha(body) : undefined }, length])
  })

  it('is passed on when it is too long, however much is to come', async () => {
    const send = (sent: ClientRequest) => void sent.write(Buffer.alloc(1_100_000))
    expect(await handling(receiving(), send)).toEqual({ isWhole: false, digest: undefined })
  })

  it('is passed on when a middleware before it reads the body, which sees no part of it twice', async () => {
    const receive = bodyReceiver()
    const way: Handle = async (req) => {
      let seen = ''
      req.on('data', (chunk) => {
        seen += chunk
      })
      const received = await receive(req, 60_000)
      await new Promise((resolve) => void req.on('end', resolve))
      return [received, seen]
    }
    expect(await handling(way, pieces)).toEqual([{ isWhole: false, digest: undefined }, WHOLE])
  })

  it('is refused as incomplete where the connection breaks, or where it takes too long', async () => {
    const send = (sent: ClientRequest) => void sent.write('a', () => setTimeout(() => sent.destroy(), 50))
    expect(await handling(receiving(), send, { 'Content-Length': 10 })).toBe('body_incomplete')
    expect(await handling(receiving(), send)).toBe('body_incomplete')
    const slow = (sent: ClientRequest) => {
      const timer = setInterval(() => sent.write('a'), 20)
      sent.on('close', () => clearInterval(timer))
    }
    expect(await handling(receiving(bodyReceiver(), 200), slow)).toBe('body_incomplete')
  })

  it('takes no more room than all bodies may have together', async () => {
    const receive = bodyReceiver()
    const waiting: unknown[] = []
    const way: Handle = async (req) => {
      const received = receive(req, 10_000)
      waiting.push(received)
      return received
    }
    // 65 bodies of 1 MiB, without the last byte: at least one finds no room.
    const body = Buffer.alloc(1_048_575, 'a')
    const { port } = server.address() as AddressInfo
    const sent = Array.from({ length: 66 }, () =>
      request({ port, host: '127.0.0.1', method: 'POST', agent: false }),
    )
    handle = way
    handled = () => undefined
    for (const one of sent) one.on('error', () => undefined).write(body)
    expect(await Promise.race(sent.map((_, i) => waitFor(() => waiting[i])))).toEqual({
      isWhole: false,
      digest: undefined,
      isCrowdedOut: true,
    })
    for (const one of sent) one.end()
    const all = await Promise.all(sent.map((_, i) => waitFor(() => waiting[i])))
    expect(all.filter((one) => (one as { isWhole: boolean }).isWhole).length).toBeGreaterThanOrEqual(60)
    // All room is free now.
    const whole = await handling(receiving(receive), (one) => void one.end(body))
    expect(whole).toEqual({ isWhole: true, digest: sha(body) })
  })
})

/** Waits for a promise that does not exist yet. */
async function waitFor(made: () => unknown): Promise<unknown> {
  while (made() === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
  return made()
}

describe('the digest of a body that a parser has left', () => {
  const parsed =
    (body: unknown): Handle =>
    async (req) => {
      req.resume()
      await new Promise((resolve) => req.once('end', resolve))
      req.body = body
      return (await bodyReceiver()(req, 60_000)).digest
    }
  const sending = (type: string) => ({ 'Content-Type': type, 'Content-Length': 1 })

  it.each<[string, unknown, string | undefined]>([
    ['application/json', { a: [1] }, sha('{"a":[1]}')],
    ['application/json; charset=utf-8', {}, sha('{}')],
    ['application/scim+json', { a: 1 }, sha('{"a":1}')],
    ['application/x-www-form-urlencoded', { a: '1' }, sha('{"a":"1"}')],
    ['text/plain', 'abc', sha('abc')],
    ['application/octet-stream', Buffer.from([1, 2]), sha(Buffer.from([1, 2]))],
    ['multipart/form-data; boundary=x', { a: '1' }, undefined],
    ['application/xml', new Map(), undefined],
    ['application/protobuf', {}, undefined],
    ['application/json', undefined, undefined],
    ['application/json', null, undefined],
    ['application/json', { n: 1n }, undefined],
  ])('of %s covers %p', async (type, body, digest) => {
    expect(await handling(parsed(body), (sent) => void sent.end('x'), sending(type))).toBe(digest)
  })
})

describe('the end of a body that is checked', () => {
  it('comes when the check has passed, and not before', async () => {
    let isPassed = false
    const check = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      isPassed = true
    }
    const way: Handle = async (req, res) => {
      checkAtEnd(req, res, check, () => undefined)
      const received = await text(req)
      return [received, isPassed]
    }
    expect(await handling(way, pieces)).toEqual([WHOLE, true])
  })

  it('never comes when the check has failed: the refusal is the answer', async () => {
    const way: Handle = (req, res) => {
      let hasEnded = false
      req.on('end', () => {
        hasEnded = true
      })
      req.resume()
      return new Promise((resolve) => {
        checkAtEnd(
          req,
          res,
          async () => {
            throw new Error('revoked')
          },
          (error) => {
            res.end('refused')
            req.on('close', () => resolve([String(error), hasEnded]))
          },
        )
      })
    }
    const answered = new Promise<string>((resolve) => {
      const send = (sent: ClientRequest) => {
        sent.on('response', (response) => resolve(text(response)))
        pieces(sent)
      }
      expect(handling(way, send)).resolves.toEqual(['Error: revoked', false])
    })
    expect(await answered).toBe('refused')
  })

  it('is left alone when the body has come already', async () => {
    const way: Handle = async (req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      checkAtEnd(
        req,
        res,
        async () => Promise.reject(new Error('asked')),
        () => undefined,
      )
      return text(req)
    }
    expect(await handling(way, (sent) => void sent.end('abc'))).toBe('abc')
  })
})
