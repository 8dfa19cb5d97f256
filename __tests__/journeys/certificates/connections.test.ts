import { X509Certificate } from 'node:crypto'
import { Agent } from 'node:https'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { makeCertificate } from '../../support/certificates.js'
import { decodeJwt } from '../../support/forge.js'
import {
  askWith,
  SENSOR,
  SENSOR_NAME,
  sendMutual,
  sensorCertificate,
  startMutualServer,
} from '../../support/mutual-tls.js'
import type { RunningServer } from '../../support/server.js'

const CERTIFICATE = sensorCertificate()
const FORM = new URLSearchParams({
  grant_type: 'client_credentials',
  client_id: SENSOR,
  scope: 'devices:read',
}).toString()

/** An open connection, and the data that came over it. */
async function openConnection(server: RunningServer, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: server.port,
    servername: 'localhost',
    ca: server.cert,
    ...options,
  })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  return socket
}

/** The session of a connection, with which another connection can resume it. TLS 1.2 has it immediately. */
function sessionOf(socket: TLSSocket): Promise<Buffer> {
  const session = socket.getProtocol() === 'TLSv1.2' ? socket.getSession() : undefined
  return new Promise((resolve) => (session ? resolve(session) : socket.once('session', resolve)))
}

/** Asks for a key over a connection and closes it. Returns the status line and the body. */
async function askOver(socket: TLSSocket): Promise<{ status: number; body: Record<string, unknown> }> {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const ended = new Promise<void>((resolve, reject) =>
    socket.once('close', () => resolve()).once('error', reject),
  )
  socket.write(
    `POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${FORM.length}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\n\r\n${FORM}`,
  )
  await ended
  const [head = '', body = '{}'] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), body: JSON.parse(body) }
}

async function withServer(
  test: (server: RunningServer) => Promise<void>,
  options: Parameters<typeof startMutualServer>[0] = {},
): Promise<void> {
  const server = await startMutualServer(options)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

describe('a TLS session that is resumed', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('has the certificate it began with: %s', (version) =>
    withServer(async (server) => {
      const tls = { minVersion: version, maxVersion: version, cert: CERTIFICATE.cert, key: CERTIFICATE.key }
      const first = await openConnection(server, tls)
      const session = sessionOf(first)
      expect(await askOver(first)).toMatchObject({ status: 200 })

      // The client that resumes the session neither shows nor has a certificate.
      const resumed = await openConnection(server, {
        minVersion: version,
        maxVersion: version,
        session: await session,
      })
      expect([resumed.isSessionReused(), resumed.getProtocol()]).toEqual([true, version])
      const { status, body } = await askOver(resumed)
      expect(status).toBe(200)
      expect(decodeJwt(String(body.access_token)).payload).toMatchObject({
        cnf: { 'x5t#S256': CERTIFICATE.thumbprint },
      })
    }),
  )

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'makes nothing of a certificate that was not trusted: %s',
    (version) =>
      withServer(async (server) => {
        const forged = makeCertificate({ names: [['dns', SENSOR_NAME]] })
        const tls = { minVersion: version, maxVersion: version, cert: forged.cert, key: forged.key }
        const first = await openConnection(server, tls)
        const session = sessionOf(first)
        expect(await askOver(first)).toMatchObject({ status: 401 })
        const resumed = await openConnection(server, { ...tls, session: await session })
        expect(resumed.isSessionReused()).toBe(true)
        expect(await askOver(resumed)).toMatchObject({ status: 401 })
        expect(server.events.findLast(({ type }) => type === 'request.refused')).toMatchObject({
          reason: 'client_certificate_untrusted',
        })
      }),
  )

  test('makes nothing of a session without a certificate', () =>
    withServer(async (server) => {
      const first = await openConnection(server, {})
      const session = sessionOf(first)
      expect(await askOver(first)).toMatchObject({ status: 401 })
      const tls = { cert: CERTIFICATE.cert, key: CERTIFICATE.key, session: await session }
      const resumed = await openConnection(server, tls)
      expect(resumed.isSessionReused()).toBe(true)
      expect(await askOver(resumed)).toMatchObject({ status: 401 })
    }))
})

describe('a connection that is kept alive', () => {
  test('has its certificate read once', () =>
    withServer(async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      let read = 0
      server.https.on('secureConnection', (socket) => {
        const original = socket.getPeerX509Certificate
        socket.getPeerX509Certificate = () => {
          read += 1
          return original.call(socket)
        }
      })
      try {
        for (let i = 0; i < 3; i += 1)
          expect(await askWith(server, CERTIFICATE, {}, { agent })).toMatchObject({ status: 200 })
        expect(read).toBe(1)
      } finally {
        agent.destroy()
      }
    }))

  test('lends its certificate to no other', () =>
    withServer(async (server) => {
      const agent = new Agent({ keepAlive: true })
      try {
        expect(await askWith(server, CERTIFICATE, {}, { agent })).toMatchObject({ status: 200 })
        expect(await askWith(server, undefined)).toMatchObject({ status: 401 })
        expect(await askWith(server, sensorCertificate({ names: [] }))).toMatchObject({ status: 401 })
      } finally {
        agent.destroy()
      }
    }))
})

describe('a server that asks for no certificate', () => {
  test('sees none', async () => {
    const server = await startMutualServer({}, { requestCert: false })
    try {
      expect(await askWith(server, CERTIFICATE)).toMatchObject({ status: 401 })
      const get = { path: '/.well-known/oauth-authorization-server', method: 'GET' } as const
      expect((await sendMutual(server, get)).status).toBe(200)
    } finally {
      await server.close()
    }
  })

  test('is what the test says it is', () => {
    expect(new X509Certificate(CERTIFICATE.cert).subjectAltName).toBe(`DNS:${SENSOR_NAME}`)
  })
})
