import { mountAccess } from '../../support/access-tokens.js'
import { type IssuedCertificate, makeCertificate } from '../../support/certificates.js'
import { decodeJwt } from '../../support/forge.js'
import {
  askWith,
  certificateClients,
  PINNED,
  PINNED_CERTIFICATE,
  sendMutual,
} from '../../support/mutual-tls.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { type RunningServer, SECRET, startServer } from '../../support/server.js'

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startServer({
    options: { clients: certificateClients() },
    tls: { requestCert: true, rejectUnauthorized: false },
    mount: mountAccess,
  })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const SCOPE = { scope: 'provision:token devices:read' }

/** Exchanges a key over a connection with or without a certificate. */
function exchangeWith(
  server: RunningServer,
  key: string,
  certificate?: IssuedCertificate,
  asked: Record<string, string> = {},
) {
  const form = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE, ...asked }
  return sendMutual(server, { certificate, form })
}

function callWith(server: RunningServer, token: string, certificate?: IssuedCertificate) {
  const headers = ['Authorization', `Bearer ${token}`]
  return sendMutual(server, { method: 'GET', path: '/config', certificate, headers })
}

const tokenIn = (answer: { body: object }) => (answer.body as { access_token: string }).access_token

describe('an access token of a client with a certificate', () => {
  test('is bound to it, and good over its connections alone', () =>
    withServer(async (server) => {
      const form = { client_id: PINNED, ...SCOPE }
      const key = tokenIn(await askWith(server, PINNED_CERTIFICATE, form))
      expect((await exchangeWith(server, key)).status).toBe(400)
      expect((await exchangeWith(server, key, makeCertificate())).status).toBe(400)
      const exchanged = await exchangeWith(server, key, PINNED_CERTIFICATE)
      expect(exchanged.body).toMatchObject({ token_type: 'Bearer' })
      const token = tokenIn(exchanged)
      const { thumbprint } = PINNED_CERTIFICATE
      expect(decodeJwt(token).payload['cnf']).toEqual({ 'x5t#S256': thumbprint })
      const called = await callWith(server, token, PINNED_CERTIFICATE)
      expect([called.status, called.body]).toMatchObject([200, { certificateThumbprint: thumbprint }])
      for (const other of [undefined, makeCertificate()]) {
        const refused = await callWith(server, token, other)
        expect(refused.body).toMatchObject({ error_description: 'The access token is not accepted.' })
        expect(server.events.at(-1)).toMatchObject({
          reason: 'possession_unproven',
          detail: expect.stringMatching(/^The access token is bound to a(nother)? client certificate /),
        })
      }
    }))

  test('is bound to it where policy wants that of a client with a secret', () =>
    withServer(async (server) => {
      const certificate = makeCertificate()
      const form = { client_id: 'mtls-only', client_secret: SECRET, ...SCOPE }
      const key = tokenIn(await askWith(server, certificate, form))
      const token = tokenIn(await exchangeWith(server, key, certificate))
      expect((await callWith(server, token, certificate)).status).toBe(200)
      expect((await callWith(server, token)).status).toBe(401)
    }))

  test('is bound to nothing where the certificate was merely there', () =>
    withServer(async (server) => {
      const certificate = makeCertificate()
      const form = { client_id: 'secretive', client_secret: SECRET, ...SCOPE }
      const key = tokenIn(await askWith(server, certificate, form))
      const token = tokenIn(await exchangeWith(server, key, certificate))
      expect((await callWith(server, token)).status).toBe(200)
    }))

  test('is told precisely why it is refused', () =>
    withServer(async (server) => {
      const key = tokenIn(await askWith(server, PINNED_CERTIFICATE, { client_id: PINNED, ...SCOPE }))
      const token = tokenIn(await exchangeWith(server, key, PINNED_CERTIFICATE))
      // A different request: the same one would get the same answer again.
      await exchangeWith(server, key, PINNED_CERTIFICATE, { scope: 'devices:read' })
      const { status, body } = await callWith(server, token, PINNED_CERTIFICATE)
      expect([status, body.error_description]).toEqual([401, 'The access token has been revoked.'])
    }))
})
