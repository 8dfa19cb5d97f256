import { createHash } from 'node:crypto'
import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Request } from 'express'
import { type BodyDigest, followBody } from '../../lib/http/request-body.js'

type Follow = (req: Request) => Promise<BodyDigest> | BodyDigest

let server: Server
let follow: Follow
let digested: (digest: BodyDigest) => void

beforeAll(
  () =>
    new Promise<void>((resolve) => {
      server = createServer((req, res) => {
        req.on('error', () => undefined)
        Promise.resolve(follow(req as Request)).then((digest) => {
          digested(digest)
          res.end()
        })
      }).listen(0, '127.0.0.1', resolve)
    }),
)
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** The digest of the body of one request, followed in some way. */
function digestOf(wanted: Follow, send: (sent: ClientRequest) => void, headers = {}): Promise<BodyDigest> {
  follow = wanted
  return new Promise((resolve) => {
    digested = resolve
    const { port } = server.address() as AddressInfo
    const sent = request({ port, host: '127.0.0.1', method: 'POST', agent: false, headers })
    sent.on('error', () => undefined)
    send(sent)
  })
}

const sha = (text: string | Buffer) => createHash('sha256').update(text).digest('base64url')
const unread: Follow = (req) => followBody(req, 60_000)()

const readBy =
  (read: (req: IncomingMessage) => void): Follow =>
  async (req) => {
    const digest = followBody(req, 60_000)
    read(req)
    await new Promise((resolve) => req.once('end', resolve))
    return digest()
  }

const WAYS: [title: string, way: Follow][] = [
  ['by nobody', unread],
  ['by events', readBy((req) => void req.on('data', () => undefined))],
  [
    'by events after it was paused',
    readBy(
      (req) =>
        void req
          .pause()
          .on('data', () => undefined)
          .resume(),
    ),
  ],
  ['as text', readBy((req) => void req.setEncoding('utf8').on('data', () => undefined))],
  ['as hex', readBy((req) => void req.setEncoding('hex').on('data', () => undefined))],
  ['as base64', readBy((req) => void req.setEncoding('base64').on('data', () => undefined))],
  [
    'by read() in small pieces',
    readBy((req) => {
      req.on('readable', () => {
        while ((req.read(3) ?? req.read()) !== null);
      })
    }),
  ],
  ['by resume()', readBy((req) => void req.resume())],
]

const pieces = (sent: ClientRequest) => {
  sent.write('{"a":')
  setTimeout(() => sent.end('"\u00e4\u20ac"}'), 30)
}

describe('the digest of a body', () => {
  it.each(WAYS)('is that of its bytes when it is read %s', async (_title, way) => {
    expect(await digestOf(way, pieces)).toBe(sha('{"a":"\u00e4\u20ac"}'))
  })

  it('is that of its bytes when only a part of it is read', async () => {
    const way: Follow = (req) => {
      const digest = followBody(req, 60_000)
      return new Promise((resolve) => void req.once('data', () => resolve(req.pause() && digest())))
    }
    expect(await digestOf(way, pieces)).toBe(sha('{"a":"\u00e4\u20ac"}'))
  })

  it.each<[string, (sent: ClientRequest) => void, object]>([
    ['no body', (sent) => void sent.end(), {}],
    ['an empty body', (sent) => void sent.end(), { 'Content-Length': 0 }],
    ['an empty body in no pieces', (sent) => void sent.end(), { 'Transfer-Encoding': 'chunked' }],
  ])('is that of nothing for %s', async (_title, send, headers) => {
    expect(await digestOf(unread, send, headers)).toBe(sha(''))
  })

  it('can be asked for more than once', async () => {
    const way: Follow = async (req) => {
      const digest = followBody(req, 60_000)
      const [one, other] = [await digest(), await digest()]
      return one === other ? 'same' : 'other'
    }
    expect(await digestOf(way, pieces)).toBe('same')
  })

  it.each([
    [1_048_576, true],
    [1_048_577, false],
  ])('is told of %d bytes: %s', async (length, isTold) => {
    const body = Buffer.alloc(length, 'a')
    const digest = await digestOf(unread, (sent) => void sent.end(body))
    expect(digest).toBe(isTold ? sha(body) : undefined)
  })

  it('is given up as soon as there is too much, however much is to come', async () => {
    const digest = await digestOf(unread, (sent) => void sent.write(Buffer.alloc(1_100_000)))
    expect(digest).toBeUndefined()
  })

  it('is not told where text has lost bytes', async () => {
    const lossy = readBy((req) => void req.setEncoding('utf8').on('data', () => undefined))
    expect(await digestOf(lossy, (sent) => void sent.end(Buffer.from([0xff, 0xfe])))).toBeUndefined()
    const ascii = readBy((req) => void req.setEncoding('ascii').on('data', () => undefined))
    expect(await digestOf(ascii, (sent) => void sent.end('a'))).toBeUndefined()
  })

  it('is incomplete where the connection breaks', async () => {
    const send = (sent: ClientRequest) => void sent.write('a', () => setTimeout(() => sent.destroy(), 50))
    expect(await digestOf(unread, send, { 'Content-Length': 10 })).toBe('incomplete')
    expect(await digestOf(unread, send)).toBe('incomplete')
  })

  it('is incomplete where nothing more comes', async () => {
    expect(await digestOf(unread, (sent) => void sent.write('a'))).toBe('incomplete')
  })

  it('is waited for as long as it comes', async () => {
    const send = (sent: ClientRequest) => {
      let left = 5
      const timer = setInterval(() => {
        left -= 1
        if (left > 0) return void sent.write('a')
        clearInterval(timer)
        sent.end('a')
      }, 900)
    }
    expect(await digestOf(unread, send)).toBe(sha('aaaaa'))
  })

  it.each([
    ['with nobody reading', (req: IncomingMessage) => req],
    ['with half of it read', (req: IncomingMessage) => req.once('data', () => void req.pause())],
  ])('is known of one that had come whole before the connection broke, %s', async (_title, read) => {
    const way: Follow = async (req) => {
      const digest = followBody(req, 60_000)
      read(req)
      await new Promise((resolve) => void req.on('close', resolve))
      return digest()
    }
    const send = (sent: ClientRequest) => void sent.end('abc', () => setTimeout(() => sent.destroy(), 80))
    expect(await digestOf(way, send, { 'Content-Length': 3 })).toBe(sha('abc'))
  })
})

describe('the digest of what a parser has left', () => {
  /** As if `body` had been made of a body of some type. */
  const parsed =
    (body: unknown, change: (req: Request) => void = () => undefined): Follow =>
    async (req) => {
      req.resume()
      await new Promise((resolve) => req.once('end', resolve))
      req.body = body
      const digest = followBody(req, 60_000)
      change(req)
      return digest()
    }
  const sending = (type: string) => ({ 'Content-Type': type, 'Content-Length': 1 })
  const send = (sent: ClientRequest) => void sent.end('x')

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
  ])('of %s tells what can be told of %p', async (type, body, digest) => {
    expect(await digestOf(parsed(body), send, sending(type))).toBe(digest)
  })

  it('is that of before a handler has changed it', async () => {
    const change = (req: Request) => void Object.assign(req.body, { id: Math.random() })
    const digest = await digestOf(parsed({ a: 1 }, change), send, sending('application/json'))
    expect(digest).toBe(sha('{"a":1}'))
  })
})
