import { once } from 'node:events'
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  Http2ServerRequest,
  Http2ServerResponse,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import express, { type Express, type Request } from 'express'
import { type Prover, prover } from '../support/prover.js'
import { until } from '../support/redeeming.js'
import { askForKey, obtainKey } from '../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  localCertificate,
  mountAll,
  type RunningServer,
  SECRET,
  startServer,
} from '../support/server.js'

let server: RunningServer
let http2: ReturnType<typeof createSecureServer>
/** The warnings of Node, such as those about headers that HTTP/2 does not have. */
const warnings: Error[] = []
const noteWarning = (warning: Error) => warnings.push(warning)
/** The request with a long body that a handler has got. */
let long: Request | undefined

/** An app whose requests and responses are those of HTTP/2, as adapters make it. */
function http2App(): Express {
  const app = express()
  const membersOf = (object: object) => Object.getOwnPropertyDescriptors(object)
  app.request = Object.create(Http2ServerRequest.prototype, {
    ...membersOf(express.request),
    ...membersOf(app.request),
  })
  app.response = Object.create(Http2ServerResponse.prototype, {
    ...membersOf(express.response),
    ...membersOf(app.response),
  })
  // A middleware that takes longer than the client waits.
  app.use((req, _res, next) => {
    if (req.headers['x-late'] === undefined) next()
    else req.once('close', () => next())
  })
  return app
}

/** Decides about some requests only when their clients have left. */
async function authorize(req: Request): Promise<'operate'> {
  if (req.headers['x-slow'] !== undefined) await once(req, 'close')
  return 'operate'
}

beforeAll(async () => {
  process.on('warning', noteWarning)
  const app = http2App()
  server = await startServer({
    options: { audience: [AUDIENCE, 'https://second.example.com'] },
    mount(plain, keys) {
      mountAll(plain, keys)
      app.post(
        '/long',
        keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE }),
        (req) => {
          long = req
        },
      )
      app.use('/admin', keys.administration({ authorize }))
      mountAll(app, keys)
    },
  })
  http2 = createSecureServer(localCertificate(), app as never)
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  process.off('warning', noteWarning)
  http2.close()
  await server.close()
})

async function boundKey(holder: Prover): Promise<string> {
  const proof = holder.prove('POST', `${ISSUER}/oauth/token`)
  const { body } = await askForKey(server, { scope: 'devices:create' }).set('DPoP', proof).expect(200)
  return body.access_token
}

interface Sent {
  readonly path: string
  readonly headers: object
  readonly body: string
}

/** Sends a request over HTTP/2, where a body needs no `Content-Length` (RFC 9113 8.1.1). */
async function post({ path, headers, body }: Sent): Promise<{ status: number; answer: string }> {
  const { port } = http2.address() as AddressInfo
  const session = connect(`https://localhost:${port}`, { ca: server.cert })
  const stream = session.request({ ':method': 'POST', ':path': path, ...headers })
  const status = new Promise<number>((resolve) =>
    stream.on('response', (head) => resolve(Number(head[':status']))),
  )
  stream.end(body)
  const [code, answer] = await Promise.all([status, text(stream)])
  session.close()
  return { status: code, answer }
}

async function redeem(holder: Prover, key: string, body: string, headers: object = {}): Promise<number> {
  const proof = holder.prove('POST', `${AUDIENCE}/devices`, key)
  const named = { authorization: `DPoP ${key}`, dpop: proof, 'content-type': 'application/json', ...headers }
  return (await post({ path: '/devices', headers: named, body })).status
}

interface Begun {
  readonly key: string
  readonly path?: string
  readonly headers?: object
  readonly body?: string
}

/** Sends a request without the end of its body. Returns the session when the server has got the beginning. */
async function begin({
  key,
  path = '/devices',
  headers,
  body = '{"name":',
}: Begun): Promise<ClientHttp2Session> {
  const { port } = http2.address() as AddressInfo
  const session = connect(`https://localhost:${port}`, { ca: server.cert })
  const named = { ...bearer(key), 'content-type': 'application/json', ...headers }
  const stream = session.request({ ':method': 'POST', ':path': path, ...named })
  stream.on('error', () => undefined).write(body)
  await once(stream, 'ready')
  await new Promise((resolve) => session.ping(resolve))
  return session
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const refusals = () =>
  server.events.flatMap((event) => (event.type === 'request.refused' ? event.reason : []))

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const BASIC = { authorization: `Basic ${Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')}` }

describe('a redemption over HTTP/2', () => {
  test.each([
    ['without', {}],
    ['with', { 'content-length': 12 }],
  ])('is repeated only with the same body, %s Content-Length', async (_, headers) => {
    const holder = prover()
    const key = await boundKey(holder)
    expect(await redeem(holder, key, '{"name":"a"}', headers)).toBe(201)
    expect(await redeem(holder, key, '{"name":"a"}', headers)).toBe(201)
    server.events.length = 0
    expect(await redeem(holder, key, '{"name":"b"}', headers)).toBe(401)
    expect(server.events.map(({ type }) => type)).toContain('key.replayed')
  })
})

describe('the metadata of a resource over HTTP/2', () => {
  it.each(['api.example.com', 'second.example.com'])(
    'are those of %s, if they are asked for',
    async (host) => {
      const { port } = http2.address() as AddressInfo
      const session = connect(`https://localhost:${port}`, { ca: server.cert })
      const stream = session.request({
        ':path': '/.well-known/oauth-protected-resource',
        ':authority': host,
      })
      expect(JSON.parse(await text(stream)).resource).toBe(`https://${host}`)
      session.close()
    },
  )
})

describe('the administration over HTTP/2, for a browser that names only the origin', () => {
  it.each([
    ['answers its own page', 'https://localhost', 200],
    ['refuses another site', 'https://stranger.example', 403],
    ['refuses an opaque origin', 'null', 403],
  ])('%s', async (_, origin, status) => {
    const { port } = http2.address() as AddressInfo
    const session = connect(`https://localhost:${port}`, { ca: server.cert })
    const stream = session.request({ ':path': '/admin/api/health', ':authority': 'localhost', origin })
    const [head] = await once(stream.resume(), 'response')
    expect(head[':status']).toBe(status)
    session.close()
  })
})

describe('the stream of events over HTTP/2', () => {
  it('stays open for others when 50 readers leave while authorize decides', async () => {
    const { port } = http2.address() as AddressInfo
    const session = connect(`https://localhost:${port}`, { ca: server.cert })
    const open = (headers: object = {}) => session.request({ ':path': '/admin/api/events', ...headers })
    const leaving = Array.from({ length: 50 }, () => open({ 'x-slow': 'yes' }))
    await Promise.all(leaving.map((stream) => once(stream, 'ready')))
    await new Promise((resolve) => session.ping(resolve))
    for (const stream of leaving) stream.close()
    await Promise.all(leaving.map((stream) => once(stream, 'close')))
    const [head] = await once(open(), 'response')
    expect(head[':status']).toBe(200)
    session.destroy()
  })
})

describe('a request over HTTP/2 whose client gives up', () => {
  it.each([
    ['before its body is complete', {}],
    ['before the guard runs', { 'x-late': 'yes' }],
  ])('%s leaves the key usable', async (_, headers) => {
    const key = await obtainKey(server, { scope: 'devices:create' })
    server.events.length = 0
    const session = await begin({ key, headers })
    session.destroy()
    await until(() => refusals().length > 0)
    expect(refusals()).toEqual(['body_incomplete'])
    expect(warnings.filter(({ name }) => name === 'UnsupportedWarning')).toEqual([])
    expect((await post({ path: '/devices', headers: bearer(key), body: '{}' })).status).toBe(201)
    expect(server.events.map(({ type }) => type)).not.toContain('key.exposed')
  })

  it('never ends a long body that is incomplete', async () => {
    const key = await obtainKey(server, { scope: 'devices:create' })
    const session = await begin({ key, path: '/long', body: 'a'.repeat(1_100_000) })
    await until(() => long !== undefined)
    const ends: string[] = []
    long?.resume().on('end', () => ends.push('end'))
    const closed = new Promise((resolve) => long?.once('close', resolve))
    session.destroy()
    await closed
    // The check of the key before the end of the body takes some time.
    await setTimeout(100)
    expect(ends).toEqual([])
  })
})

describe('a request to an endpoint over HTTP/2, without Content-Length', () => {
  const ask = async (body: string) => {
    const { status, answer } = await post({ path: '/oauth/token', headers: { ...FORM, ...BASIC }, body })
    const { scope, error_description } = JSON.parse(answer)
    return [status, scope ?? error_description]
  }
  const form = (filler: number) => `grant_type=client_credentials&scope=devices:read&a=${'a'.repeat(filler)}`

  it('is answered when its whole body has arrived', async () => {
    expect(await ask(form(1))).toEqual([200, 'devices:read'])
    // Several DATA frames.
    expect(await ask(form(32_000))).toEqual([200, 'devices:read'])
  })

  it('is refused if its body is too long', async () => {
    expect(await ask(form(33_000))).toEqual([413, 'The body is too large.'])
  })

  it('is refused without a body', async () => {
    expect(await ask('')).toEqual([400, 'grant_type is missing.'])
  })
})
