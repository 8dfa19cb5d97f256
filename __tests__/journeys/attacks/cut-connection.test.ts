import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express, { type RequestHandler } from 'express'
import { provisioningKeys } from '../../../lib/index.js'
import { obtainKey, send } from '../../support/requests.js'
import {
  AUDIENCE,
  closeServer,
  type RunningServer,
  startServer,
  workingOptions,
} from '../../support/server.js'

/** Tells the client that its request has arrived, so that it does not break off before. */
const arrivals = new EventEmitter()

/** Waits until the client is gone, before any guard looks at the request. */
const untilGone: RequestHandler = (req, _res, next) => {
  if (req.headers['x-cut'] === undefined) return next()
  req.socket.once('close', () => setImmediate(next))
  arrivals.emit('arrived')
}

/** After a reset, the address can be gone before the socket counts as destroyed. */
const noAddress: RequestHandler = (req, _res, next) => {
  if (req.headers['x-cut'] !== undefined) {
    Object.defineProperty(req.socket, 'remoteAddress', { value: undefined })
    arrivals.emit('arrived')
  }
  next()
}

async function withCuts(test: (server: RunningServer) => Promise<void>, isFirst = false): Promise<void> {
  const server = await startServer({
    options: { rateLimit: false },
    mount(app, keys) {
      app.set('trust proxy', 'loopback')
      if (isFirst) app.use(noAddress, keys.enforceHttps())
      app.use(keys.router(), untilGone)
      app.get(
        '/devices',
        keys.requireProvisioningKey({ scope: 'devices:read', audience: AUDIENCE }),
        (_req, res) => {
          res.sendStatus(200)
        },
      )
      app.use(keys.errorHandler())
    },
  })
  await test(server).finally(server.close)
}

/** Sends a request like a proxy, and breaks off the connection. */
async function cut(server: RunningServer, headers: Record<string, string>): Promise<void> {
  const refused = server.events.filter(({ type }) => type === 'request.refused').length
  const socket = connect(await server.openHttp(), '127.0.0.1')
  const lines = Object.entries({ Host: 'api.example.com', 'X-Cut': '1', ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const arrived = once(arrivals, 'arrived')
  socket.write(`GET /devices HTTP/1.1\r\n${head}\r\n`)
  await arrived
  socket.resetAndDestroy()
  while (server.events.filter(({ type }) => type === 'request.refused').length === refused)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('a connection that breaks off', () => {
  test('before a guard looks at it revokes nothing, if a proxy says that it was HTTPS', () =>
    withCuts(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      await cut(server, { Authorization: `Bearer ${key}`, 'X-Forwarded-Proto': 'https' })
      expect(server.events.at(-1)).toMatchObject({ reason: 'body_incomplete' })
      expect(server.events.filter(({ type }) => type === 'key.exposed')).toEqual([])
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
    }))

  test('exposes nothing if only its address is gone', () =>
    withCuts(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      await cut(server, { Authorization: `Bearer ${key}`, 'X-Forwarded-Proto': 'https' })
      expect(server.events.filter(({ type }) => type === 'key.exposed')).toEqual([])
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
    }, true))

  test('of which nobody waits for the end exposes nothing, however often it breaks off', () =>
    withCuts(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      const port = await server.openHttp()
      const headers = `Host: api.example.com\r\nX-Forwarded-Proto: https\r\nAuthorization: Bearer ${key}\r\n`
      for (let i = 0; i < 20; i += 1) {
        const socket = connect(port, '127.0.0.1')
        await new Promise((resolve) => socket.once('connect', resolve))
        await new Promise<void>((resolve) => {
          socket.write(`GET /devices HTTP/1.1\r\n${headers}\r\n`, () => resolve())
        })
        socket.resetAndDestroy()
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(server.events.filter(({ type }) => type === 'key.exposed')).toEqual([])
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
    }, true))

  test.each([[{}], [{ 'X-Forwarded-Proto': 'http' }], [{ 'X-Forwarded-Proto': 'https, http' }]])(
    'in cleartext exposes its key all the same: %j',
    (headers) =>
      withCuts(async (server) => {
        const key = await obtainKey(server, { scope: 'devices:read' })
        await cut(server, { Authorization: `Bearer ${key}`, ...headers })
        const exposed = () => server.events.filter(({ type }) => type === 'key.exposed')
        while (exposed().length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
        expect(exposed()).toMatchObject([{ revoked: true }])
      }),
  )
})

test('a Unix socket has no address, is not taken for closed, and the console says what to set', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const folder = mkdtempSync(join(tmpdir(), 'epk-'))
  const app = express().set('trust proxy', 'loopback')
  const keys = provisioningKeys(workingOptions())
  const server = createServer(app.use(keys.enforceHttps())).listen(join(folder, 'app.sock'))
  try {
    await once(server, 'listening')
    const asked = get({ socketPath: join(folder, 'app.sock'), headers: { 'X-Forwarded-Proto': 'https' } })
    const [answer] = await once(asked, 'response')
    answer.resume()
    expect(answer.statusCode).toBe(403)
    expect(warn.mock.calls).toContainEqual([expect.stringContaining("'trust proxy', 1"), expect.anything()])
  } finally {
    warn.mockRestore()
    await closeServer(server)
    rmSync(folder, { recursive: true })
  }
})
