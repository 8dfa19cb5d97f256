import { makeCertificate } from '../../support/certificates.js'
import {
  askWith,
  PINNED,
  PINNED_CERTIFICATE,
  sendMutual,
  startMutualServer,
} from '../../support/mutual-tls.js'
import { type RunningServer, SECRET } from '../../support/server.js'

/** The certificate with which the proxy authenticates itself, for all of its clients. */
const PROXYS = makeCertificate()
const FORWARDED = ['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https']
const ASKER = { client_id: 'secretive', client_secret: SECRET }

let server: RunningServer

beforeAll(async () => {
  server = await startMutualServer()
  server.app.set('trust proxy', 'loopback')
})
afterAll(() => server.close())

async function deviceKey(): Promise<string> {
  const asked = { ...ASKER, scope: 'provision:bind', requested_subject: 'device:1' }
  const { body } = await askWith(server, undefined, asked)
  return (body as unknown as { access_token: string }).access_token
}

function bind(key: string, headers: readonly string[]) {
  const presented = ['Authorization', `Bearer ${key}`, ...headers]
  return sendMutual(server, { path: '/oauth/bind', certificate: PROXYS, headers: presented })
}

test('the certificate of a proxy is not bound to keys of its clients', async () => {
  const key = await deviceKey()
  expect((await bind(key, FORWARDED)).status).toBe(400)
  expect(await server.keys.listBindings('device:1')).toEqual([])
  // A client that connects directly uses the certificate of the connection.
  expect((await bind(key, [])).status).toBe(201)
})

test('no key is bound to the certificate of a proxy where policy wants one of the client', async () => {
  const asked = { client_id: 'mtls-only', client_secret: SECRET }
  const { status } = await askWith(server, PROXYS, asked, { headers: FORWARDED })
  expect(status).toBe(400)
  expect(server.events.at(-1)).toMatchObject({ reason: 'certificate_missing' })
})

test('who connects directly cannot be kept from its certificate but by itself', async () => {
  const asked = { client_id: PINNED }
  expect((await askWith(server, PINNED_CERTIFICATE, asked)).status).toBe(200)
  expect((await askWith(server, PINNED_CERTIFICATE, asked, { headers: FORWARDED })).status).toBe(401)
  server.app.set('trust proxy', false)
  expect((await askWith(server, PINNED_CERTIFICATE, asked, { headers: ['Forwarded', 'for=a'] })).status).toBe(
    200,
  )
  server.app.set('trust proxy', 'loopback')
})
