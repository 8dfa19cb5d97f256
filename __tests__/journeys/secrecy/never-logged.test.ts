import { inspect } from 'node:util'
import type { Express, NextFunction, Request, Response } from 'express'
import { memoryStore, ProvisioningError, type ProvisioningKeys } from '../../../lib/index.js'
import { bindingBody } from '../../support/binding.js'
import { exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, mountAll, type RunningServer, SECRET, startServer } from '../../support/server.js'

/** Everything that is logged while a test runs. */
function captureEverything() {
  const written: string[] = []
  const note = (...values: unknown[]) => {
    for (const value of values) {
      written.push(typeof value === 'string' ? value : inspect(value, { depth: 12, maxStringLength: null }))
      if (typeof value !== 'string') written.push(jsonOf(value))
    }
  }
  const spies = (['log', 'info', 'warn', 'error', 'debug', 'trace'] as const).map((name) =>
    jest.spyOn(console, name).mockImplementation(note),
  )
  for (const stream of [process.stdout, process.stderr]) {
    spies.push(
      jest.spyOn(stream, 'write').mockImplementation((chunk) => note(String(chunk)) === undefined) as never,
    )
  }
  process.on('warning', note)
  return {
    written,
    note,
    release: () => {
      for (const spy of spies) spy.mockRestore()
      process.off('warning', note)
    },
  }
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

/** Everything in a request that a logger can reach, except the sockets and buffers of Node. */
function facesOf(req: Request): unknown {
  const { headers, rawHeaders, headersDistinct, url, originalUrl, query, body, provisioning } = req
  const { _parsedUrl, _parsedOriginalUrl } = req as unknown as Record<string, unknown>
  const parsed = [_parsedUrl, _parsedOriginalUrl]
  return { headers, rawHeaders, headersDistinct, url, originalUrl, query, body, provisioning, parsed }
}

/** Mounts a typical access log before all routes, and a careless error handler behind them. */
function mountWithLogs(note: (...values: unknown[]) => void) {
  return (app: Express, keys: ProvisioningKeys) => {
    app.use((req, res, next) => {
      res.on('finish', () => note(req.method, res.statusCode, facesOf(req)))
      next()
    })
    app.post(
      '/throws',
      keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE }),
      (req) => {
        note(facesOf(req))
        throw new Error(`cannot create for ${inspect(req.provisioning)}`)
      },
    )
    mountAll(app, keys)
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      note(error)
      res.status(500).send('sorry')
    })
  }
}

/** Uses keys and secrets in every way. Returns everything that no log may contain. */
async function runEverything(server: RunningServer): Promise<string[]> {
  const scope = 'provision:token provision:bind provision:register devices:create devices:read'
  const keys = await Promise.all(Array.from({ length: 8 }, () => obtainKey(server, { scope })))
  const [a = '', b = '', c = '', d = '', e = '', f = '', g = '', h = ''] = keys
  const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })
  await send(server, 'get', '/devices').set(bearer(a)).expect(200)
  const exchanged = await exchangeKey(server, a).expect(200)
  await exchangeKey(server, a).expect(400)
  await send(server, 'post', '/oauth/bind').set(bearer(b)).send(bindingBody(b)).expect(201)
  const registered = await send(server, 'post', '/oauth/register')
    .set(bearer(c))
    .send({ scope: 'devices:read' })
    .expect(201)
  await send(server, 'post', '/devices').set(bearer(d)).expect(201)
  await send(server, 'post', '/throws').set(bearer(e)).expect(500)
  await send(server, 'get', `/devices?access_token=${f}`).expect(400)
  await send(server, 'get', '/devices').set('Authorization', `Bearer ${f} ${f}`).expect(400)
  await send(server, 'get', '/devices').set('Authorization', `DPoP ${f}`).expect(401)
  await send(server, 'post', '/oauth/register').set(bearer(f)).type('json').send(`{"token":"${f}`).expect(400)
  await send(server, 'post', '/oauth/token')
    .type('json')
    .send({ subject_token: f, client_secret: SECRET })
    .expect(415)
  await send(server, 'post', '/oauth/token')
    .type('form')
    .send(`subject_token=${f}&subject_token=${f}`)
    .expect(400)
  await postForm(server, `/oauth/introspect?token=${f}`, { token: f }).auth(CLIENT, SECRET).expect(400)
  await postForm(server, '/oauth/introspect', { token: g }).auth(CLIENT, SECRET).expect(200)
  await postForm(server, '/oauth/revoke', { token: g, client_id: CLIENT, client_secret: SECRET }).expect(200)
  await postForm(server, '/oauth/token', {
    grant_type: 'client_credentials',
    client_id: CLIENT,
    client_secret: `${SECRET}!`,
  }).expect(401)
  await send(server, 'get', '/devices').set('Authorization', `Bearer ${h.slice(0, -4)}AAAA`)
  return [...keys, SECRET, exchanged.body.access_token, registered.body.client_secret]
}

/** The parts of a secret that would disclose it: all runs of 20 characters. */
function piecesOf(secret: string): string[] {
  const length = Math.min(20, secret.length)
  return Array.from({ length: Math.floor(secret.length / length) }, (_, i) =>
    secret.slice(i * length, (i + 1) * length),
  )
}

/** The header and the first claims are the same in all keys. The rest differs, so it counts as secret. */
function ownPartOf(secret: string): string {
  const [, payload, signature] = secret.split('.')
  return payload === undefined ? secret : `${payload.slice(140)}.${signature}`
}

function expectNothingOf(secrets: readonly string[], written: readonly string[]): void {
  const pieces = secrets.flatMap((secret) => piecesOf(ownPartOf(secret)))
  expect(written.filter((text) => pieces.some((piece) => text.includes(piece)))).toEqual([])
}

describe('keys and secrets', () => {
  let capture: ReturnType<typeof captureEverything>
  beforeEach(() => {
    capture = captureEverything()
  })
  afterEach(() => capture.release())

  test('are in no log, event, error or console line of whole journeys', async () => {
    const server = await startServer({ mount: mountWithLogs(capture.note) })
    const secrets = await runEverything(server).finally(() => server.close())
    capture.note(server.events, server.keys)
    capture.release()
    expect(capture.written.length).toBeGreaterThan(60)
    expectNothingOf(secrets, capture.written)
  })

  test('are not logged by a store whose errors quote their arguments', async () => {
    const memory = memoryStore()
    let key = ''
    const find = () => Promise.reject(new Error(`ERR unknown command, with args beginning with: ${key}`))
    const server = await startServer({
      options: { store: { ...memory, find } },
      mount: mountWithLogs(capture.note),
    })
    try {
      key = await obtainKey(server, { scope: 'devices:read' })
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(503)
    } finally {
      await server.close()
    }
    capture.note(server.events)
    capture.release()
    expect(server.events.at(-1)).toMatchObject({ reason: 'store_unavailable' })
    expectNothingOf([key], capture.written)
  })

  test('are not logged by an observer that fails with its event', async () => {
    const failing = (event: unknown) => {
      throw new Error(`cannot ship ${JSON.stringify(event)}`)
    }
    const server = await startServer({ options: { observer: failing }, mount: mountWithLogs(capture.note) })
    const secrets = await runEverything(server).finally(() => server.close())
    await new Promise((resolve) => setImmediate(resolve))
    capture.release()
    expectNothingOf(secrets, capture.written)
  })

  test('are in nothing that is handed out', async () => {
    const server = await startServer({ mount: mountWithLogs(capture.note) })
    try {
      const key = await obtainKey(server, { scope: 'devices:read' })
      const { body } = await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
      capture.note(body, server.keys, new ProvisioningError('key_expired', 'The key expired 3 s ago.'))
      capture.release()
      expectNothingOf([key, SECRET], capture.written)
      expect(body).toMatchObject({ clientId: CLIENT, keyId: expect.any(String) })
    } finally {
      await server.close()
    }
  })
})
