import { Agent } from 'node:https'
import type { ClientOptions } from '../../../lib/options/client.js'
import { type IssuedCertificate, makeAuthority, makeCertificate, TYPES } from '../../support/certificates.js'
import { decodeJwt } from '../../support/forge.js'
import {
  AUTHORITY,
  askWith,
  clientCert,
  PINNED,
  PINNED_CERTIFICATE,
  pinnedJwk,
  SENSOR,
  SENSOR_NAME,
  sendMutual,
  sensorCertificate,
  startMutualServer,
} from '../../support/mutual-tls.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { type RunningServer, SECRET } from '../../support/server.js'

const SENSOR_CERTIFICATE = sensorCertificate()
const OTHER = sensorCertificate()

let server: RunningServer

beforeAll(async () => {
  server = await startMutualServer()
  server.app.get(
    '/api',
    server.keys.requireAccessToken({ anyScope: true }),
    (_req, res) => void res.sendStatus(204),
  )
})
afterAll(() => server.close())

async function obtain(certificate: IssuedCertificate, form: Record<string, string> = {}, at = server) {
  const { status, body } = await askWith(at, certificate, form)
  expect({ status, body }).toMatchObject({ status: 200 })
  return (body as unknown as { access_token: string }).access_token
}

function present(key: string, certificate: IssuedCertificate | undefined, method: 'GET' | 'POST' = 'GET') {
  const headers = ['Authorization', `Bearer ${key}`]
  return sendMutual(server, { path: '/devices', method, certificate, headers })
}

function exchange(key: string, certificate: IssuedCertificate | undefined) {
  const form = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
  return sendMutual(server, { certificate, form })
}

function lastRefusal(at = server): unknown {
  return at.events.findLast(({ type }) => type === 'request.refused')
}

describe('a client with a certificate of an authority', () => {
  test('gets a key that is bound to its certificate', async () => {
    const { body } = await askWith(server, SENSOR_CERTIFICATE)
    expect(body).toMatchObject({ token_type: 'Bearer' })
    const { access_token: key } = body as unknown as { access_token: string }
    expect(decodeJwt(key).payload).toMatchObject({ cnf: { 'x5t#S256': SENSOR_CERTIFICATE.thumbprint } })
    const asked = { token: key, client_id: SENSOR }
    const told = await sendMutual(server, {
      path: '/oauth/introspect',
      certificate: SENSOR_CERTIFICATE,
      form: asked,
    })
    expect(told.body).toMatchObject({ active: true, cnf: { 'x5t#S256': SENSOR_CERTIFICATE.thumbprint } })
  })

  test('redeems it for a token that is bound to the same', async () => {
    const key = await obtain(SENSOR_CERTIFICATE, { scope: 'provision:token devices:read' })
    const { status, body } = await exchange(key, SENSOR_CERTIFICATE)
    expect(status).toBe(200)
    const { access_token: token } = body as unknown as { access_token: string }
    expect(decodeJwt(token).payload).toMatchObject({ cnf: { 'x5t#S256': SENSOR_CERTIFICATE.thumbprint } })
    const told = await sendMutual(server, {
      path: '/oauth/introspect',
      certificate: SENSOR_CERTIFICATE,
      form: { token, client_id: SENSOR },
    })
    expect(told.body).toMatchObject({ active: true, cnf: { 'x5t#S256': SENSOR_CERTIFICATE.thumbprint } })
    const call = (certificate?: IssuedCertificate) =>
      sendMutual(server, {
        path: '/api',
        method: 'GET',
        certificate,
        headers: ['Authorization', `Bearer ${token}`],
      })
    expect(await call(SENSOR_CERTIFICATE)).toMatchObject({ status: 204 })
    expect(await call(OTHER)).toMatchObject({ status: 401 })
    expect(await call()).toMatchObject({ status: 401 })
  })

  test('has a new certificate with the same name, and authenticates with that too', async () => {
    expect((await askWith(server, OTHER)).status).toBe(200)
  })

  test('cannot use the key with the new one', async () => {
    const key = await obtain(SENSOR_CERTIFICATE)
    expect(await present(key, OTHER)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
  })

  test.each<[string, () => IssuedCertificate | undefined]>([
    ['no certificate', () => undefined],
    ['another certificate of the client', () => OTHER],
    ['a certificate of a stranger', () => makeCertificate()],
    [
      'the same certificate by another authority',
      () => sensorCertificate({ issuer: makeAuthority('Other CA') }),
    ],
  ])('loses nothing when its key is stolen and presented with %s', async (_, thief) => {
    const key = await obtain(SENSOR_CERTIFICATE, { scope: 'provision:token devices:create devices:read' })
    const stolen = thief()
    for (const act of [() => present(key, stolen), () => present(key, stolen, 'POST')]) {
      expect(await act()).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
      expect(lastRefusal()).toMatchObject({ reason: 'possession_unproven', clientId: SENSOR })
    }
    expect(await exchange(key, stolen)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect(await present(key, SENSOR_CERTIFICATE)).toMatchObject({ status: 200 })
    expect(await present(key, SENSOR_CERTIFICATE, 'POST')).toMatchObject({ status: 201 })
    // The thief proves nothing, so the replay revokes nothing.
    const before = server.events.length
    expect(await present(key, stolen, 'POST')).toMatchObject({ status: 401 })
    expect(server.events.slice(before).map(({ type }) => type)).toEqual(['request.refused'])
  })

  test('asks for a key for a device, which has another certificate or none: that key is not bound', async () => {
    const key = await obtain(SENSOR_CERTIFICATE, { requested_subject: 'device:7' })
    expect(decodeJwt(key).payload).not.toHaveProperty('cnf')
    expect(await present(key, undefined)).toMatchObject({ status: 200 })
  })
})

describe('a client with a certificate of its own making', () => {
  test('gets a key that is bound to it', async () => {
    const key = await obtain(PINNED_CERTIFICATE, { client_id: PINNED })
    expect(decodeJwt(key).payload).toMatchObject({ cnf: { 'x5t#S256': PINNED_CERTIFICATE.thumbprint } })
    expect(await present(key, PINNED_CERTIFICATE)).toMatchObject({ status: 200 })
  })

  test('may be registered for both methods: the certificate tells which it is', async () => {
    const policy = { scopes: ['devices:read'] }
    const metadata = { tls_client_auth_san_dns: SENSOR_NAME }
    const encrypting = makeCertificate()
    const other = await startMutualServer({
      clients: [
        {
          clientId: 'both',
          authenticationMethods: ['tls_client_auth', 'self_signed_tls_client_auth'],
          jwks: { keys: [pinnedJwk(PINNED_CERTIFICATE), { ...pinnedJwk(encrypting), use: 'enc' }] },
          metadata,
          policy,
        },
      ],
    })
    const ask = (certificate: IssuedCertificate) => askWith(other, certificate, { client_id: 'both' })
    try {
      expect(await ask(PINNED_CERTIFICATE)).toMatchObject({ status: 200 })
      expect(await ask(SENSOR_CERTIFICATE)).toMatchObject({ status: 200 })
      expect(await ask(makeCertificate({ names: [['dns', SENSOR_NAME]] }))).toMatchObject({ status: 401 })
      // RFC 7517 4.2: this key is not for authentication.
      expect(await ask(encrypting)).toMatchObject({ status: 401 })
    } finally {
      await other.close()
    }
  })

  test('may name it by its thumbprint, or have bound it', async () => {
    const certificate = makeCertificate()
    const jwk = makeCertificate().publicKey.export({ format: 'jwk' })
    const binding = { bindingId: 'b', boundAt: 1, keyId: 'k' }
    const methods = ['self_signed_tls_client_auth'] as const
    const other = await startMutualServer({
      clients: [
        {
          clientId: 'by-thumbprint',
          authenticationMethods: methods,
          jwks: { keys: [{ ...jwk, 'x5t#S256': certificate.thumbprint }] },
        },
        {
          clientId: 'bound',
          authenticationMethods: methods,
          bindings: [{ ...binding, confirmation: { 'x5t#S256': certificate.thumbprint } }],
        },
      ] as readonly ClientOptions[],
    })
    try {
      for (const client_id of ['by-thumbprint', 'bound']) {
        expect(await askWith(other, certificate, { client_id })).toMatchObject({ status: 200 })
        expect(await askWith(other, PINNED_CERTIFICATE, { client_id })).toMatchObject({ status: 401 })
      }
    } finally {
      await other.close()
    }
  })
})

const HOUR = 3_600_000
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds)

describe('a client is not', () => {
  test.each<[string, string, () => IssuedCertificate | undefined, string?]>([
    ['one that shows no certificate', 'client_authentication_missing', () => undefined],
    [
      'one with another name',
      'client_certificate_wrong',
      () => sensorCertificate({ names: [['dns', 'sensor-8.example.com']] }),
    ],
    [
      'one with its name as common name alone',
      'client_certificate_wrong',
      () => sensorCertificate({ names: [], subject: [[TYPES.CN, SENSOR_NAME]] }),
    ],
    [
      'one with its name in another entry',
      'client_certificate_wrong',
      () => sensorCertificate({ names: [['uri', `urn:a, DNS:${SENSOR_NAME}`]] }),
    ],
    [
      'one with its name and a NUL',
      'client_certificate_wrong',
      () => sensorCertificate({ names: [['dns', `${SENSOR_NAME}\0.evil.com`]] }),
    ],
    [
      'one whose certificate has expired',
      'client_certificate_expired',
      () => sensorCertificate({ notBefore: ago(2 * HOUR), notAfter: ago(HOUR) }),
    ],
    [
      'one whose certificate is not valid yet',
      'client_certificate_expired',
      () => sensorCertificate({ notBefore: ago(-HOUR), notAfter: ago(-2 * HOUR) }),
    ],
    [
      'one that has signed its name itself',
      'client_certificate_untrusted',
      () => makeCertificate({ names: [['dns', SENSOR_NAME]] }),
    ],
    [
      'one with the right name by another authority',
      'client_certificate_untrusted',
      () => sensorCertificate({ issuer: makeAuthority('Other CA') }),
    ],
    [
      'one whose authority is a client itself',
      'client_certificate_untrusted',
      () => sensorCertificate({ issuer: SENSOR_CERTIFICATE }),
    ],
    [
      'one with a certificate of the authority, for a client with a self-signed one',
      'client_certificate_wrong',
      () => SENSOR_CERTIFICATE,
      PINNED,
    ],
    [
      'one with the key of the client and another certificate',
      'client_certificate_wrong',
      () => makeCertificate({ key: PINNED_CERTIFICATE.privateKey, publicKey: PINNED_CERTIFICATE.publicKey }),
      PINNED,
    ],
    ['one with the certificate of another client', 'client_certificate_untrusted', () => PINNED_CERTIFICATE],
    ['one that has a secret', 'client_method_refused', () => SENSOR_CERTIFICATE, 'secretive'],
    ['one that does not exist', 'client_unknown', () => SENSOR_CERTIFICATE, 'nobody'],
  ])('%s: %s', async (_, reason, certificate, client_id = SENSOR) => {
    const before = server.events.length
    const answered = await askWith(server, certificate(), { client_id })
    expect(answered).toMatchObject({
      status: 401,
      body: { error: 'invalid_client', error_description: 'The client could not be authenticated.' },
    })
    expect(lastRefusal()).toMatchObject({ reason })
    expect(server.events.slice(before).map(({ type }) => type)).toEqual(['request.refused'])
  })

  test('one whose authority has the right name and another key', async () => {
    const before = server.events.length
    const forged = sensorCertificate({ issuer: makeAuthority() })
    // Node breaks off such a connection sooner or later.
    const answered = await askWith(server, forged).catch((fault: Error) => fault.message)
    if (typeof answered !== 'string') expect(answered).toMatchObject({ status: 401 })
    expect(server.events.slice(before).filter(({ type }) => type !== 'request.refused')).toEqual([])
  })

  test('one that shows a secret besides: that is what counts', async () => {
    const form = { client_id: SENSOR, client_secret: SECRET }
    expect(await askWith(server, SENSOR_CERTIFICATE, form)).toMatchObject({ status: 401 })
    expect(lastRefusal()).toMatchObject({ reason: 'client_secret_wrong' })
  })

  test('one that shows an Authorization header of whatever kind besides', async () => {
    const headers = ['Authorization', 'Bearer abc']
    expect(await askWith(server, SENSOR_CERTIFICATE, {}, { headers })).toMatchObject({ status: 401 })
    expect(lastRefusal()).toMatchObject({ reason: 'client_authentication_missing' })
  })

  test('one that does not say who it is', async () => {
    const form = { grant_type: 'client_credentials' }
    expect(await sendMutual(server, { certificate: SENSOR_CERTIFICATE, form })).toMatchObject({ status: 401 })
    expect(lastRefusal()).toMatchObject({ reason: 'client_authentication_missing' })
  })

  test('one whose certificate expires while its connection lasts', async () => {
    const clock = { now: Date.now() }
    const certificate = sensorCertificate({ notAfter: new Date(clock.now + HOUR) })
    const own = await startMutualServer({ now: () => clock.now })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    try {
      expect(await askWith(own, certificate, {}, { agent })).toMatchObject({ status: 200 })
      clock.now += HOUR + 4000
      expect(await askWith(own, certificate, {}, { agent })).toMatchObject({ status: 200 })
      clock.now += 60_000
      expect(await askWith(own, certificate, {}, { agent })).toMatchObject({ status: 401 })
      expect(lastRefusal(own)).toMatchObject({ reason: 'client_certificate_expired' })
    } finally {
      agent.destroy()
      await own.close()
    }
  })
})

describe('policy', () => {
  function askBySecret(client_id: string, certificate?: IssuedCertificate) {
    return askWith(server, certificate, { client_id, client_secret: SECRET })
  }

  test('mtls wants a certificate, whichever, and binds to it', async () => {
    expect(await askBySecret('mtls-only')).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect(lastRefusal()).toMatchObject({ reason: 'certificate_missing' })
    const certificate = makeCertificate()
    const { body } = await askBySecret('mtls-only', certificate)
    const { access_token: key } = body as unknown as { access_token: string }
    expect(decodeJwt(key).payload).toMatchObject({ cnf: { 'x5t#S256': certificate.thumbprint } })
  })

  test('bearer leaves a key unbound whose client shows a certificate by the way', async () => {
    const { body } = await askBySecret('secretive', makeCertificate())
    const { access_token: key } = body as unknown as { access_token: string }
    expect(decodeJwt(key).payload).not.toHaveProperty('cnf')
  })

  test('is mtls for a client that has registered tls_client_certificate_bound_access_tokens', async () => {
    const own = await startMutualServer({
      clients: [
        {
          clientId: 'wishing',
          clientSecret: SECRET,
          metadata: { tls_client_certificate_bound_access_tokens: true },
          policy: { subjects: ['device:*'] },
        },
      ],
    })
    try {
      const form = { client_id: 'wishing', client_secret: SECRET }
      expect(await askWith(own, undefined, form)).toMatchObject({ status: 400 })
      expect(lastRefusal(own)).toMatchObject({ reason: 'certificate_missing' })
      for (const more of [{}, { requested_subject: 'device:7' }]) {
        const key = await obtain(SENSOR_CERTIFICATE, { ...form, ...more }, own)
        expect(decodeJwt(key).payload).toMatchObject({ cnf: { 'x5t#S256': SENSOR_CERTIFICATE.thumbprint } })
      }
    } finally {
      await own.close()
    }
  })
})

describe('a client registers', () => {
  async function register(metadata: object) {
    const key = await obtain(SENSOR_CERTIFICATE, { scope: 'provision:register devices:read' })
    const headers = ['Authorization', `Bearer ${key}`, 'Content-Type', 'application/json']
    return sendMutual(server, {
      path: '/oauth/register',
      certificate: SENSOR_CERTIFICATE,
      headers,
      json: { scope: 'devices:read', ...metadata },
    })
  }

  test('the name in its certificate, and authenticates with that from then on', async () => {
    const metadata = {
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=gateway,O=Example\\, Inc.',
      tls_client_certificate_bound_access_tokens: true,
    }
    const { status, body } = await register(metadata)
    expect({ status, body }).toMatchObject({ status: 201, body: metadata })
    const { client_id } = body as unknown as { client_id: string }
    const subject = [
      [TYPES.O, 'Example, Inc.'],
      [TYPES.CN, 'gateway'],
    ] as const
    const certificate = makeCertificate({ subject, issuer: AUTHORITY })
    expect(await askWith(server, certificate, { client_id })).toMatchObject({ status: 200 })
    expect(await askWith(server, SENSOR_CERTIFICATE, { client_id })).toMatchObject({ status: 401 })
  })

  test('its certificate, and authenticates with that from then on', async () => {
    const certificate = makeCertificate()
    const chain = [certificate.der.toString('base64'), AUTHORITY.der.toString('base64')]
    const jwk = { ...pinnedJwk(certificate), x5c: chain, kid: 'one' }
    const { status, body } = await register({
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [jwk] },
    })
    // The certificate is stored, its issuers are not.
    expect({ status, body }).toMatchObject({
      status: 201,
      body: { jwks: { keys: [{ ...jwk, x5c: chain.slice(0, 1) }] } },
    })
    const { client_id } = body as unknown as { client_id: string }
    expect(await askWith(server, certificate, { client_id })).toMatchObject({ status: 200 })
    expect(await askWith(server, AUTHORITY, { client_id })).toMatchObject({ status: 401 })
  })

  const jwk = pinnedJwk(makeCertificate())
  test.each<[string, object]>([
    ['tls_client_auth without a name', { token_endpoint_auth_method: 'tls_client_auth' }],
    ['two names', { tls_client_auth_san_dns: 'a.example.com', tls_client_auth_san_ip: '192.0.2.1' }],
    ['a name that is none', { tls_client_auth_subject_dn: 'CN=a, O=b' }],
    ['a wildcard', { tls_client_auth_san_dns: '*.example.com' }],
    ['a wish that is no boolean', { tls_client_certificate_bound_access_tokens: 'true' }],
    [
      'self_signed_tls_client_auth without keys',
      { token_endpoint_auth_method: 'self_signed_tls_client_auth' },
    ],
    [
      'self_signed_tls_client_auth without a certificate',
      {
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [{ ...jwk, x5c: undefined }] },
      },
    ],
    ['a certificate of another key', { jwks: { keys: [{ ...jwk, x5c: pinnedJwk(makeCertificate()).x5c }] } }],
    ['a certificate in base64url', { jwks: { keys: [{ ...jwk, x5c: ['MII-_'] }] } }],
    [
      'a certificate in base64 with a newline',
      { jwks: { keys: [{ ...jwk, x5c: jwk.x5c.map((text) => text.replace(/^..../, '$&\n')) }] } },
    ],
    ['a certificate that is none', { jwks: { keys: [{ ...jwk, x5c: ['MAA='] }] } }],
    ['no certificate in x5c', { jwks: { keys: [{ ...jwk, x5c: [] }] } }],
    [
      'a thumbprint of another certificate',
      { jwks: { keys: [{ ...jwk, 'x5t#S256': makeCertificate().thumbprint }] } },
    ],
    ['a thumbprint that is none', { jwks: { keys: [{ ...jwk, x5c: undefined, 'x5t#S256': 'abc' }] } }],
  ])('no %s', async (_, metadata) => {
    expect(await register(metadata)).toMatchObject({
      status: 400,
      body: { error: 'invalid_client_metadata' },
    })
    expect(lastRefusal()).toMatchObject({ reason: 'metadata_invalid' })
  })
})

describe('a Client-Cert header', () => {
  const headers = ['Client-Cert', clientCert(SENSOR_CERTIFICATE)]

  test('from a stranger counts for nothing, and the operator is told once', async () => {
    const before = server.events.length
    for (let i = 0; i < 2; i += 1) {
      expect(await askWith(server, undefined, {}, { headers })).toMatchObject({ status: 401 })
      expect(lastRefusal()).toMatchObject({ reason: 'client_authentication_missing' })
    }
    const advised = server.events.slice(before).filter(({ type }) => type === 'configuration.advised')
    expect(advised).toEqual([expect.objectContaining({ advice: expect.stringContaining('mtls.proxies') })])
  })

  test('from a stranger takes nothing away from the certificate of the connection', async () => {
    expect(
      await askWith(server, SENSOR_CERTIFICATE, {}, { headers: ['Client-Cert', 'garbage'] }),
    ).toMatchObject({
      status: 200,
    })
    const key = await obtain(SENSOR_CERTIFICATE)
    const stolen = {
      path: '/devices',
      method: 'GET',
      headers: ['Authorization', `Bearer ${key}`, ...headers],
    } as const
    expect(await sendMutual(server, stolen)).toMatchObject({ status: 401 })
    expect(await sendMutual(server, { ...stolen, certificate: OTHER })).toMatchObject({ status: 401 })
  })

  test('from a stranger counts for nothing whatever X-Forwarded-For says', async () => {
    const own = await startMutualServer({ mtls: { proxies: ['192.0.2.0/24'], proxyVerifies: true } })
    own.app.set('trust proxy', 'loopback')
    try {
      const forwarded = ['X-Forwarded-For', '192.0.2.1', ...headers]
      expect(await askWith(own, undefined, {}, { headers: forwarded })).toMatchObject({ status: 401 })
      expect(lastRefusal(own)).toMatchObject({
        address: '192.0.2.1',
        reason: 'client_authentication_missing',
      })
    } finally {
      await own.close()
    }
  })

  describe('from a proxy', () => {
    let behind: RunningServer
    beforeAll(async () => {
      behind = await startMutualServer({ mtls: { proxies: ['127.0.0.0/8'], proxyVerifies: true } })
    })
    afterAll(() => behind.close())

    test('is the certificate of the client', async () => {
      const { status, body } = await askWith(behind, undefined, {}, { headers })
      expect(status).toBe(200)
      const { access_token: key } = body as unknown as { access_token: string }
      expect(decodeJwt(key).payload).toMatchObject({ cnf: { 'x5t#S256': SENSOR_CERTIFICATE.thumbprint } })
      const authorization = ['Authorization', `Bearer ${key}`]
      const get = { path: '/devices', method: 'GET' } as const
      expect(await sendMutual(behind, { ...get, headers: [...authorization, ...headers] })).toMatchObject({
        status: 200,
      })
      expect(await sendMutual(behind, { ...get, headers: authorization })).toMatchObject({ status: 401 })
    })

    test('may lack its padding (RFC 8941 4.2.7)', async () => {
      const unpadded = clientCert(SENSOR_CERTIFICATE).replace(/=*:$/, ':')
      expect(await askWith(behind, undefined, {}, { headers: ['Client-Cert', unpadded] })).toMatchObject({
        status: 200,
      })
    })

    test('is not missed: the certificate of the proxy itself is never taken for the client’s', async () => {
      expect(await askWith(behind, SENSOR_CERTIFICATE)).toMatchObject({ status: 401 })
      expect(lastRefusal(behind)).toMatchObject({ reason: 'client_authentication_missing' })
      const pinned = ['Client-Cert', clientCert(PINNED_CERTIFICATE)]
      const { body } = await askWith(behind, SENSOR_CERTIFICATE, { client_id: PINNED }, { headers: pinned })
      const { access_token: key } = body as unknown as { access_token: string }
      expect(decodeJwt(key).payload).toMatchObject({ cnf: { 'x5t#S256': PINNED_CERTIFICATE.thumbprint } })
    })

    test('that is malformed spends no key', async () => {
      const { body } = await askWith(behind, undefined, { scope: 'devices:create' }, { headers })
      const { access_token: key } = body as unknown as { access_token: string }
      const post = (more: readonly string[]) =>
        sendMutual(behind, { path: '/devices', headers: ['Authorization', `Bearer ${key}`, ...more] })
      expect(await post([...headers, ...headers])).toMatchObject({ status: 400 })
      expect(lastRefusal(behind)).toMatchObject({ reason: 'certificate_header_malformed' })
      expect(await post(headers)).toMatchObject({ status: 201 })
    })

    test('that does not verify is good for a certificate that is registered itself, and no other', async () => {
      const own = await startMutualServer({ mtls: { proxies: ['127.0.0.1'] } })
      try {
        expect(await askWith(own, undefined, {}, { headers })).toMatchObject({ status: 401 })
        expect(lastRefusal(own)).toMatchObject({ reason: 'client_certificate_untrusted' })
        const pinned = ['Client-Cert', clientCert(PINNED_CERTIFICATE)]
        const form = { client_id: PINNED }
        expect(await askWith(own, undefined, form, { headers: pinned })).toMatchObject({ status: 200 })
      } finally {
        await own.close()
      }
    })
  })
})
