import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import type { IssuedCertificate } from '../../support/certificates.js'
import { fetchTrusting } from '../../support/foreign-fetch.js'
import { decodeJwt } from '../../support/forge.js'
import {
  AUTHORITY,
  certificateClients,
  PINNED,
  PINNED_CERTIFICATE,
  SENSOR,
  sendMutual,
  sensorCertificate,
} from '../../support/mutual-tls.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { mountAll, type RunningServer, startServer } from '../../support/server.js'

const CERTIFICATE = sensorCertificate()

/** A server with two origins, like one that asks for certificates only at a separate host name. */
async function withServer(test: (server: RunningServer, mtlsOrigin: string) => Promise<void>): Promise<void> {
  const at = (origin: string) => origin.replace('localhost', '127.0.0.1')
  const server = await startServer({
    optionsAt: (origin) => ({
      issuer: origin,
      audience: 'https://api.example.com',
      clients: certificateClients(),
      mtls: { origin: at(origin) },
    }),
    tls: { requestCert: true, rejectUnauthorized: false, ca: AUTHORITY.cert },
    mount: (app, keys) => mountAll(app, keys),
  })
  try {
    await test(server, at(server.origin))
  } finally {
    await server.close()
  }
}

/** A fetch that records its addresses. */
function watchedFetch(server: RunningServer, certificate: IssuedCertificate) {
  const visited: string[] = []
  const fetching = fetchTrusting(server.cert, certificate)
  const watched: client.CustomFetch = (url, init) => {
    visited.push(url)
    return fetching(url, init)
  }
  return { visited, watched }
}

function discover(server: RunningServer, id: string, fetching: client.CustomFetch) {
  const metadata = { use_mtls_endpoint_aliases: true }
  const options = { algorithm: 'oauth2', [client.customFetch]: fetching } as const
  return client.discovery(new URL(server.origin), id, metadata, client.TlsClientAuth(), options)
}

describe('openid-client, which we did not write', () => {
  test.each([
    ['tls_client_auth', SENSOR, CERTIFICATE],
    ['self_signed_tls_client_auth', PINNED, PINNED_CERTIFICATE],
  ])('asks, exchanges, introspects and revokes by %s, at the aliases', (method, id, certificate) =>
    withServer(async (server, mtlsOrigin) => {
      const { visited, watched } = watchedFetch(server, certificate)
      const config = await discover(server, id, watched)
      expect(config.serverMetadata()).toMatchObject({
        tls_client_certificate_bound_access_tokens: true,
        token_endpoint_auth_methods_supported: expect.arrayContaining([method]),
        introspection_endpoint_auth_methods_supported: expect.arrayContaining([method]),
        revocation_endpoint_auth_methods_supported: expect.arrayContaining([method]),
      })
      const issued = await client.clientCredentialsGrant(config, { scope: 'provision:token devices:read' })
      const { access_token: key } = issued
      const cnf = { 'x5t#S256': certificate.thumbprint }
      expect(await client.tokenIntrospection(config, key)).toMatchObject({ active: true, cnf })
      const exchanged = await client.genericGrantRequest(config, EXCHANGE, {
        subject_token: key,
        subject_token_type: JWT_TYPE,
      })
      expect(decodeJwt(exchanged.access_token).payload).toMatchObject({ cnf })
      await client.tokenRevocation(config, exchanged.access_token)
      expect(await client.tokenIntrospection(config, exchanged.access_token)).toEqual({ active: false })
      expect(visited.slice(1).map((url) => new URL(url).origin)).toEqual(
        visited.slice(1).map(() => mtlsOrigin),
      )
    }),
  )

  test('registers with a certificate-bound key as initial access token', () =>
    withServer(async (server) => {
      const { watched } = watchedFetch(server, CERTIFICATE)
      const config = await discover(server, SENSOR, watched)
      const { access_token: initialAccessToken } = await client.clientCredentialsGrant(config, {
        scope: 'provision:register devices:read',
      })
      const metadata = {
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_dns: 'sensor-7.example.com',
        scope: 'devices:read',
        use_mtls_endpoint_aliases: true,
      }
      const options = { initialAccessToken, algorithm: 'oauth2', [client.customFetch]: watched } as const
      const registered = await client.dynamicClientRegistration(
        new URL(server.origin),
        metadata,
        client.TlsClientAuth(),
        options,
      )
      expect(await client.clientCredentialsGrant(registered)).toMatchObject({ scope: 'devices:read' })
    }))

  test('is told plainly when its certificate is not the one', () =>
    withServer(async (server) => {
      const { watched } = watchedFetch(server, PINNED_CERTIFICATE)
      const config = await discover(server, SENSOR, watched)
      await expect(client.clientCredentialsGrant(config, { scope: 'devices:read' })).rejects.toMatchObject({
        error: 'invalid_client',
        status: 401,
      })
    }))
})

describe('oauth4webapi, with a certificate and DPoP together', () => {
  test.each(['issuer', 'alias'])('proves both at the origin of the %s', (where) =>
    withServer(async (server, mtlsOrigin) => {
      const origin = where === 'alias' ? mtlsOrigin : server.origin
      const options = { [oauth.customFetch]: fetchTrusting(server.cert, CERTIFICATE) as never }
      const issuer = new URL(server.origin)
      const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
      const as = await oauth.processDiscoveryResponse(issuer, response)
      const me = { client_id: SENSOR, use_mtls_endpoint_aliases: where === 'alias' }
      const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
      const asked = await oauth.clientCredentialsGrantRequest(
        as,
        me,
        oauth.TlsClientAuth(),
        new URLSearchParams({ scope: 'devices:read' }),
        { ...options, DPoP },
      )
      const { access_token: key } = await oauth.processClientCredentialsResponse(as, me, asked)
      expect(decodeJwt(key).payload.cnf).toEqual({
        jkt: expect.any(String),
        'x5t#S256': CERTIFICATE.thumbprint,
      })
      if (where === 'issuer') return
      // Clients show their certificates at the alias. The audience is the other origin.
      const resource = new URL(`${origin}/devices`)
      const get = await oauth.protectedResourceRequest(key, 'GET', resource, undefined, undefined, {
        ...options,
        DPoP,
      })
      expect(get.status).toBe(200)
      const other = { [oauth.customFetch]: fetchTrusting(server.cert, sensorCertificate()) as never }
      const stolen = oauth.protectedResourceRequest(key, 'GET', resource, undefined, undefined, {
        ...other,
        DPoP,
      })
      await expect(stolen).rejects.toMatchObject({ status: 401 })
    }),
  )

  test('has a proof refused that is for an origin which is neither', () =>
    withServer(async (server) => {
      const options = { [oauth.customFetch]: fetchTrusting(server.cert, CERTIFICATE) as never }
      const issuer = new URL(server.origin)
      const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
      const as = await oauth.processDiscoveryResponse(issuer, response)
      const me = { client_id: SENSOR }
      const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
      const misled = {
        [oauth.customFetch]: ((url: string, init: never) =>
          fetchTrusting(server.cert, CERTIFICATE)(
            url.replace('evil.example.com', `localhost:${server.port}`),
            init,
          )) as never,
      }
      const elsewhere = { ...as, token_endpoint: 'https://evil.example.com/oauth/token' }
      const form = new URLSearchParams({ scope: 'devices:read' })
      const asked = await oauth.clientCredentialsGrantRequest(elsewhere, me, oauth.TlsClientAuth(), form, {
        ...misled,
        DPoP,
      })
      expect(asked.status).toBe(400)
      expect(await asked.json()).toMatchObject({ error: 'invalid_dpop_proof' })
    }))
})

describe('the metadata', () => {
  const SERVER = '/.well-known/oauth-authorization-server'
  const RESOURCE = '/.well-known/oauth-protected-resource'

  async function metadataAt(server: RunningServer, path: string) {
    return (await sendMutual(server, { path, method: 'GET' })).body as Record<string, unknown>
  }

  test('name every endpoint at the origin for mutual TLS (RFC 8705 5)', () =>
    withServer(async (server, mtlsOrigin) => {
      const metadata = await metadataAt(server, SERVER)
      const endpoints = Object.entries(metadata).filter(([name]) => name.endsWith('_endpoint'))
      expect(endpoints.length).toBeGreaterThanOrEqual(5)
      expect(metadata.mtls_endpoint_aliases).toEqual(
        Object.fromEntries(
          endpoints.map(([name, url]) => [name, String(url).replace(server.origin, mtlsOrigin)]),
        ),
      )
      expect(await metadataAt(server, RESOURCE)).toMatchObject({
        tls_client_certificate_bound_access_tokens: true,
      })
    }))

  test('promise nothing of it where mtls is not configured', async () => {
    const server = await startServer({ options: { audience: 'https://api.example.com' } })
    try {
      for (const path of [SERVER, RESOURCE])
        expect(JSON.stringify(await metadataAt(server, path))).not.toMatch(/tls_/)
    } finally {
      await server.close()
    }
  })

  test('name no aliases where the origin is the issuer’s', async () => {
    const server = await startServer({ options: { audience: 'https://api.example.com', mtls: {} } })
    try {
      const metadata = await metadataAt(server, SERVER)
      expect(metadata).toMatchObject({ tls_client_certificate_bound_access_tokens: true })
      expect(metadata.token_endpoint_auth_methods_supported).toEqual(
        expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
      )
      expect(metadata).not.toHaveProperty('mtls_endpoint_aliases')
    } finally {
      await server.close()
    }
  })
})
