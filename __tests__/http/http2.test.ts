import { connect, createSecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import express, { type Express } from 'express'
import { type Prover, prover } from '../support/prover.js'
import { askForKey } from '../support/requests.js'
import {
  AUDIENCE,
  ISSUER,
  localCertificate,
  mountAll,
  type RunningServer,
  startServer,
} from '../support/server.js'

let server: RunningServer
let http2: ReturnType<typeof createSecureServer>

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
  return app
}

beforeAll(async () => {
  const app = http2App()
  server = await startServer({
    mount(plain, keys) {
      mountAll(plain, keys)
      mountAll(app, keys)
    },
  })
  http2 = createSecureServer(localCertificate(), app as never)
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  http2.close()
  await server.close()
})

async function boundKey(holder: Prover): Promise<string> {
  const proof = holder.prove('POST', `${ISSUER}/oauth/token`)
  const { body } = await askForKey(server, { scope: 'devices:create' }).set('DPoP', proof).expect(200)
  return body.access_token
}

/** Redeems a key over HTTP/2, where a body needs no `Content-Length` (RFC 9113 8.1.1). */
async function redeem(holder: Prover, key: string, body: string, headers: object = {}): Promise<number> {
  const { port } = http2.address() as AddressInfo
  const session = connect(`https://localhost:${port}`, { ca: server.cert })
  const stream = session.request({
    ':method': 'POST',
    ':path': '/devices',
    authorization: `DPoP ${key}`,
    dpop: holder.prove('POST', `${AUDIENCE}/devices`, key),
    'content-type': 'application/json',
    ...headers,
  })
  const status = new Promise<number>((resolve) =>
    stream.on('response', (head) => resolve(Number(head[':status']))),
  )
  stream.end(body)
  const [code] = await Promise.all([status, text(stream)])
  session.close()
  return code
}

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
