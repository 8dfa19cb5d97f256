import { Agent, type RequestOptions, request } from 'node:https'
import express, { type RequestHandler } from 'express'
import { openRequest } from '../../support/exact.js'
import { REDEEM, type RedeemingServer, until, withRedeeming } from '../../support/redeeming.js'
import { exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, type RunningServer, startServer } from '../../support/server.js'

/** Longer than the server keeps in memory. The rest fits into the buffers of the connection. */
const LONG = Buffer.alloc(1_048_576 + 60_000, 'a')

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })

/** Two requests on one connection, as a proxy sends them for two clients. */
async function onOneConnection(
  { port, cert: ca }: RunningServer,
  key: string,
): Promise<(number | undefined)[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const statusOf = (options: RequestOptions, body?: Buffer) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ host: 'localhost', port, ca, agent, ...options }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode))
      })
      sent.setTimeout(4_000, () => void sent.destroy(new Error('no answer')))
      sent.on('error', reject).end(body)
    })
  try {
    const headers = { ...bearer(key), 'Content-Length': LONG.length }
    const first = await statusOf({ method: 'POST', path: '/act', headers }, LONG)
    return [first, await statusOf({ path: '/ping' })]
  } finally {
    agent.destroy()
  }
}

const unread: RequestHandler = (req, res) => {
  if (req.query['hold'] === undefined) res.sendStatus(201)
}

describe('a body that nobody reads', () => {
  const withPing = (test: (server: RedeemingServer) => Promise<void>) =>
    withRedeeming({ handlers: [unread] }, async (server) => {
      server.app.get('/ping', (_req, res) => void res.sendStatus(200))
      await test(server)
    })

  test('does not stop the next request on its connection, though its handler has answered', () =>
    withPing(async (server) => {
      expect(await onOneConnection(server, await server.key())).toEqual([201, 200])
    }))

  test('does not stop the next request on its connection, though its key was refused', () =>
    withPing(async (server) => {
      const key = await server.key()
      const holding = openRequest(server, { path: '/act?hold', headers: bearer(key) })
      holding.on('error', () => undefined).end()
      await until(async () => (await server.stateOf(key)) === 'redeeming')
      expect(await onOneConnection(server, key)).toEqual([401, 200])
      holding.destroy()
    }))
})

describe('a middleware before a guard that looks at a body while it arrives', () => {
  const GUARDS = ['redeemProvisioningKey', 'requireProvisioningKey', 'requireAccessToken'] as const

  test.each(GUARDS)('takes nothing of it from the parser behind %s()', async (guard) => {
    let counted = 0
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.router())
        app.use((req, _res, next) => {
          req.on('data', (chunk: Buffer) => (counted += chunk.length))
          next()
        })
        const scope = { scope: 'devices:create', audience: AUDIENCE }
        app.post('/read', keys[guard](scope), express.text(), (req, res) => void res.json(req.body))
      },
    })
    try {
      let token = await obtainKey(server, { scope: 'provision:token devices:create' })
      if (guard === 'requireAccessToken')
        token = (await exchangeKey(server, token).expect(200)).body.access_token
      const headers = { ...bearer(token), 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' }
      counted = 0
      const sent = openRequest(server, { path: '/read', headers })
      const answer = new Promise<string>((resolve, reject) => {
        sent.on('error', reject).on('response', (response) => {
          let text = ''
          response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text))
        })
      })
      sent.write('first ')
      setTimeout(() => sent.end('second'), 30)
      expect(await answer).toBe('"first second"')
      expect(counted).toBe(12)
    } finally {
      await server.close()
    }
  })
})

describe('a client that hangs up as soon as it has sent its request', () => {
  test.each(['requireProvisioningKey', 'redeemProvisioningKey'] as const)(
    'starts no handler behind %s() that misses the body',
    async (guard) => {
      const bodies: unknown[] = []
      const handler: RequestHandler = (req, res) => {
        bodies.push(req.body)
        res.sendStatus(500)
      }
      const server = await startServer({
        mount(app, keys) {
          app.use(keys.router())
          app.post('/act', keys[guard](REDEEM), express.json(), handler)
        },
      })
      try {
        for (let i = 0; i < 40; i += 1) {
          const key = await obtainKey(server, { scope: 'devices:create' })
          const headers = { ...bearer(key), 'Content-Type': 'application/json', 'Content-Length': 12 }
          const sent = openRequest(server, { path: '/act', headers })
          sent.on('error', () => undefined)
          sent.end('{"name":"x"}', () => void sent.socket?.end())
          await new Promise((resolve) => sent.once('close', resolve))
        }
        await send(server, 'post', '/act')
          .set(bearer(await obtainKey(server, { scope: 'devices:create' })))
          .send({ name: 'x' })
          .expect(500)
        await until(() => bodies.length > 0)
        expect(bodies).toEqual(bodies.map(() => ({ name: 'x' })))
      } finally {
        await server.close()
      }
    },
  )
})

test('a middleware behind the guard can still set a header of an answer that is written in parts', () => {
  const cookies: RequestHandler = (_req, res, next) => {
    const { writeHead, end } = res
    let isSet = false
    Object.assign(res, {
      writeHead(...args: Parameters<typeof writeHead>) {
        if (!isSet) res.setHeader('Set-Cookie', 'session=1')
        isSet = true
        return writeHead.apply(res, args)
      },
      // Like express-session, which saves the session before the answer ends.
      end(...args: Parameters<typeof end>) {
        const inner = res as unknown as { readonly _header: unknown; _implicitHeader(): void }
        if (!inner._header) inner._implicitHeader()
        setTimeout(() => end.apply(res, args), 10)
      },
    })
    next()
  }
  const parts: RequestHandler = (_req, res) => {
    res.write('a')
    res.write('b')
    res.end('c')
  }
  return withRedeeming({ handlers: [cookies, parts] }, async (server) => {
    const { headers, text } = await server.act(await server.key()).expect(200)
    expect([headers['set-cookie'], text]).toEqual([['session=1'], 'abc'])
  })
})
