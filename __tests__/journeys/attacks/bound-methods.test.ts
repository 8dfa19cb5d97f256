import { postSigned } from '../../support/bound-client.js'
import type { IssuedCertificate } from '../../support/certificates.js'
import { makeCertificate } from '../../support/certificates.js'
import { clientKey } from '../../support/client-assertion.js'
import { askWith, pinnedJwk, sendMutual, startMutualServer } from '../../support/mutual-tls.js'
import { signProof } from '../../support/proof.js'
import { ISSUER, type RunningServer, SECRET } from '../../support/server.js'

const CLIENT = 'partner'
const REGISTERED = clientKey()
const CERTIFICATE = makeCertificate()

/** A client that may authenticate only with its secret, although it has registered keys. */
function start(): Promise<RunningServer> {
  const policy = { scopes: ['provision:bind', 'devices:read'] }
  const jwks = { keys: [REGISTERED.jwk, pinnedJwk(CERTIFICATE)] }
  const authenticationMethods = ['client_secret_basic', 'client_secret_post'] as const
  return startMutualServer({
    clients: [{ clientId: CLIENT, clientSecret: SECRET, authenticationMethods, jwks, policy }],
  })
}

async function bind(server: RunningServer, how: (key: string) => object): Promise<void> {
  const asked = { client_id: CLIENT, client_secret: SECRET, scope: 'provision:bind' }
  const { access_token: key } = (await askWith(server, undefined, asked)).body as unknown as {
    access_token: string
  }
  const { headers = [], ...rest } = how(key) as { headers?: string[] }
  const presented = ['Authorization', `Bearer ${key}`, ...headers]
  const { status } = await sendMutual(server, { path: '/oauth/bind', headers: presented, ...rest })
  expect(status).toBe(201)
}

test('a key that is bound brings no registered key back by which its client may not authenticate', async () => {
  const server = await start()
  try {
    const ask = (key = REGISTERED) =>
      postSigned(
        server,
        '/oauth/token',
        { key, clientId: CLIENT },
        { grant_type: 'client_credentials', scope: 'devices:read' },
      )
    await ask().expect(401)
    const own = clientKey()
    const proof = (token: string) =>
      signProof(own, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
    await bind(server, (token) => ({ headers: ['DPoP', proof(token)] }))
    await ask(own).expect(200)
    await ask().expect(401)
  } finally {
    await server.close()
  }
})

test('nor does a certificate', async () => {
  const server = await start()
  try {
    const ask = async (certificate: IssuedCertificate) =>
      (await askWith(server, certificate, { client_id: CLIENT })).status
    expect(await ask(CERTIFICATE)).toBe(401)
    const own = makeCertificate()
    await bind(server, () => ({ certificate: own }))
    expect([await ask(own), await ask(CERTIFICATE)]).toEqual([200, 401])
  } finally {
    await server.close()
  }
})
