import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { RequestHandler } from 'express'
import { gate, type RedeemingServer, until, withRedeeming } from '../../support/redeeming.js'

const LONG = 3 * 2 ** 20

/** A connection of a proxy. */
async function proxied(server: RedeemingServer, text: string) {
  const socket = connect(await server.openHttp(), '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => undefined).write(text)
  return socket
}

const head = (key: string, more = '') =>
  `POST /act HTTP/1.1\r\nHost: api.example.com\r\nX-Forwarded-Proto: https\r\nAuthorization: Bearer ${key}\r\n${more}\r\n`

/** Trusts the proxy, like an app behind it. */
const trusting: RequestHandler = (req, _res, next) => {
  req.app.set('trust proxy', 'loopback')
  next()
}

describe('a client that hangs up makes no handler act twice', () => {
  const LARGE = `Content-Type: application/octet-stream\r\nContent-Length: ${LONG}\r\n`
  const HANDLERS: [title: string, more: string, handler: (acted: () => void) => RequestHandler][] = [
    [
      'in the middle of an upload that the handler stores',
      LARGE,
      (acted) => async (req, res) => {
        acted()
        const storage = new Writable({ write: (_chunk, _encoding, done) => done() })
        await pipeline(req, storage).catch(() => res.sendStatus(500))
      },
    ],
    [
      'and the handler answers that with a failure',
      LARGE,
      (acted) => (req, res) => {
        acted()
        req.resume().on('aborted', () => res.sendStatus(500))
      },
    ],
    [
      'and the handler learns it from the socket',
      'Content-Length: 0\r\n',
      (acted) => (req, res) => {
        acted()
        req.socket.once('error', () => res.sendStatus(500))
      },
    ],
  ]

  test.each(HANDLERS)('%s', async (_title, more, handlerOf) => {
    let runs = 0
    const handlers = [
      handlerOf(() => {
        runs += 1
      }),
    ]
    await withRedeeming({ before: [trusting], handlers }, async (server) => {
      await server.act('none').expect(401)
      const key = await server.key()
      const socket = await proxied(server, head(key, more) + 'x'.repeat(more === LARGE ? LONG / 2 : 0))
      await until(() => runs === 1)
      socket.resetAndDestroy()
      await until(async () => (await server.stateOf(key)) === 'redeemed')
      await server.act(key).expect(401)
      expect(runs).toBe(1)
    })
  })

  test('behind another request on the same connection, and the signal tells the handler', async () => {
    let runs = 0
    const over = gate()
    const handler: RequestHandler = async (req, res) => {
      runs += 1
      // The first request on the connection never ends without the client.
      if (req.headers['x-first'] === '1') return
      await over.opened
      res.sendStatus(500)
    }
    await withRedeeming({ before: [trusting], handlers: [handler] }, async (server) => {
      await server.act('none').expect(401)
      const [first, second] = [await server.key(), await server.key()]
      const both = head(first, 'X-First: 1\r\nContent-Length: 0\r\n') + head(second, 'Content-Length: 0\r\n')
      const socket = await proxied(server, both)
      await until(() => runs === 2)
      socket.resetAndDestroy()
      await new Promise((resolve) => setTimeout(resolve, 50))
      over.open()
      await until(async () => (await server.stateOf(second)) === 'redeemed')
    })
  })
})
