import * as client from 'openid-client'
import { fetchTrusting } from '../../support/foreign-fetch.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

/** A server whose issuer is its origin, so that a foreign client can discover it. */
function startDiscoverable(): Promise<RunningServer> {
  return startServer({
    optionsAt: (origin) => ({ issuer: origin, audience: origin }),
    mount: (app, keys) => {
      app.use(keys.router())
    },
  })
}

function discover(server: RunningServer, authentication: client.ClientAuth, id = CLIENT) {
  const options: client.DiscoveryRequestOptions = {
    algorithm: 'oauth2',
    [client.customFetch]: fetchTrusting(server.cert),
  }
  return client.discovery(new URL(server.origin), id, undefined, authentication, options)
}

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startDiscoverable()
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

describe('openid-client, which we did not write', () => {
  test('discovers where everything is', () =>
    withServer(async (server) => {
      const config = await discover(server, client.ClientSecretBasic(SECRET))
      expect(config.serverMetadata()).toMatchObject({
        issuer: server.origin,
        token_endpoint: `${server.origin}/oauth/token`,
        registration_endpoint: `${server.origin}/oauth/register`,
        introspection_endpoint: `${server.origin}/oauth/introspect`,
        revocation_endpoint: `${server.origin}/oauth/revoke`,
        jwks_uri: `${server.origin}/oauth/jwks`,
        provisioning_binding_endpoint: `${server.origin}/oauth/bind`,
      })
    }))

  test.each([
    ['client_secret_basic', client.ClientSecretBasic(SECRET)],
    ['client_secret_post', client.ClientSecretPost(SECRET)],
  ])('asks for a key with %s, sees it active, exchanges it, and sees it spent', (_method, authentication) =>
    withServer(async (server) => {
      const config = await discover(server, authentication)
      const issued = await client.clientCredentialsGrant(config, { scope: 'provision:token devices:read' })
      expect(issued).toMatchObject({
        token_type: 'bearer',
        expires_in: 300,
        scope: 'provision:token devices:read',
      })
      const key = issued.access_token
      expect(await client.tokenIntrospection(config, key)).toMatchObject({ active: true, client_id: CLIENT })

      const exchanged = await client.genericGrantRequest(config, EXCHANGE, {
        subject_token: key,
        subject_token_type: JWT_TYPE,
        scope: 'devices:read',
      })
      expect(exchanged).toMatchObject({ scope: 'devices:read', expires_in: 600 })
      expect(await client.tokenIntrospection(config, key)).toEqual({ active: false })
      expect(await client.tokenIntrospection(config, exchanged.access_token)).toMatchObject({
        active: true,
        scope: 'devices:read',
      })
    }),
  )

  test('registers a client with the key as initial access token, which then asks for keys itself', () =>
    withServer(async (server) => {
      const config = await discover(server, client.ClientSecretBasic(SECRET))
      const { access_token: initialAccessToken } = await client.clientCredentialsGrant(config, {
        scope: 'provision:register provision:token devices:read',
      })
      const metadata = { client_name: 'Sensor 7', scope: 'provision:token devices:read' }
      const options: client.DynamicClientRegistrationRequestOptions = {
        initialAccessToken,
        algorithm: 'oauth2',
        [client.customFetch]: fetchTrusting(server.cert),
      }
      const registered = await client.dynamicClientRegistration(
        new URL(server.origin),
        metadata,
        undefined,
        options,
      )
      expect(registered.clientMetadata()).toMatchObject({
        client_id: expect.any(String),
        client_secret: expect.any(String),
        client_name: 'Sensor 7',
      })
      const issued = await client.clientCredentialsGrant(registered)
      expect(issued.scope).toBe('provision:token devices:read')

      const again = client.dynamicClientRegistration(new URL(server.origin), metadata, undefined, options)
      await expect(again).rejects.toMatchObject({
        cause: [
          { scheme: 'bearer', parameters: { error: 'invalid_token' } },
          { scheme: 'dpop', parameters: { algs: expect.stringContaining('ES256') } },
        ],
      })
    }))

  test('manages a registration by RFC 7592 with the answer, though the library has no call for it', () =>
    withServer(async (server) => {
      const config = await discover(server, client.ClientSecretBasic(SECRET))
      const { access_token: initialAccessToken } = await client.clientCredentialsGrant(config, {
        scope: 'provision:register devices:read',
      })
      const options: client.DynamicClientRegistrationRequestOptions = {
        initialAccessToken,
        algorithm: 'oauth2',
        [client.customFetch]: fetchTrusting(server.cert),
      }
      const metadata = { client_name: 'Sensor 7', scope: 'devices:read' }
      const registered = await client.dynamicClientRegistration(
        new URL(server.origin),
        metadata,
        undefined,
        options,
      )
      const told = registered.clientMetadata()
      const at = told.registration_client_uri as string
      const manage = async (method: string, body?: object) => {
        const headers = {
          authorization: `Bearer ${told.registration_access_token}`,
          accept: 'application/json',
          ...(body && { 'content-type': 'application/json' }),
        }
        const init = { method, headers, body: body && JSON.stringify(body), redirect: 'manual' }
        return fetchTrusting(server.cert)(at, init as Parameters<client.CustomFetch>[1])
      }
      const read = await manage('GET')
      expect(read.status).toBe(200)
      const { client_secret: _, ...known } = told
      const current = (await read.json()) as object
      expect(current).toEqual(known)

      // RFC 7592 2.2: all members of the answer, except those that only the server sets.
      const { registration_access_token: __, registration_client_uri: ___, ...rest } = told
      const { client_id_issued_at: ____, client_secret_expires_at: _____, ...own } = rest
      const updated = await manage('PUT', { ...own, client_name: 'Sensor 8' })
      expect(updated.status).toBe(200)
      expect(await updated.json()).toEqual({ ...current, client_name: 'Sensor 8' })

      expect((await client.clientCredentialsGrant(registered)).scope).toBe('devices:read')
      const deleted = await manage('DELETE')
      expect([deleted.status, await deleted.text()]).toEqual([204, ''])
      expect((await manage('GET')).status).toBe(401)
      await expect(client.clientCredentialsGrant(registered)).rejects.toMatchObject({ status: 401 })
    }))

  test('revokes a key, which is refused from then on', () =>
    withServer(async (server) => {
      const config = await discover(server, client.ClientSecretBasic(SECRET))
      const { access_token: key } = await client.clientCredentialsGrant(config, {
        scope: 'provision:token devices:read',
      })
      await client.tokenRevocation(config, key)
      expect(await client.tokenIntrospection(config, key)).toEqual({ active: false })
      const exchange = client.genericGrantRequest(config, EXCHANGE, {
        subject_token: key,
        subject_token_type: JWT_TYPE,
      })
      await expect(exchange).rejects.toMatchObject({ status: 400, error: 'invalid_request' })
    }))

  test('exchanges a key without any credential but the key', () =>
    withServer(async (server) => {
      const owner = await discover(server, client.ClientSecretBasic(SECRET))
      const { access_token: key } = await client.clientCredentialsGrant(owner, {
        scope: 'provision:token devices:read',
        requested_subject: 'device:7',
      })
      const device = await discover(server, client.None(), 'device:7')
      const exchanged = await client.genericGrantRequest(device, EXCHANGE, {
        subject_token: key,
        subject_token_type: JWT_TYPE,
      })
      expect(exchanged.token_type).toBe('bearer')
    }))

  test('is told plainly when its secret is wrong', () =>
    withServer(async (server) => {
      const config = await discover(server, client.ClientSecretBasic('not-the-secret'))
      const asked = client.clientCredentialsGrant(config, { scope: 'provision:token devices:read' })
      await expect(asked).rejects.toMatchObject({ code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', status: 401 })
    }))
})
