import { connect } from 'node:tls'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { fetchTrusting } from '../support/foreign-fetch.js'
import { type Demo, startDemo } from './child.js'

jest.setTimeout(30_000)

const SECRET = 'a-secret-for-foreign-clients'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

/** The self-signed certificate of the demo, which its clients must trust. */
function certificateOf({ port }: Demo): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port, host: 'localhost', servername: 'localhost', rejectUnauthorized: false },
      () => {
        const [, lines] = /^(.*)$/s.exec(socket.getPeerCertificate().raw.toString('base64')) ?? []
        socket.destroy()
        resolve(
          `-----BEGIN CERTIFICATE-----\n${lines?.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
        )
      },
    )
    socket.on('error', reject)
  })
}

describe('the demo, to clients that we did not write', () => {
  let demo: Demo
  let issuer: URL
  let options: { [client.customFetch]: client.CustomFetch }

  beforeAll(async () => {
    demo = await startDemo({ DEMO_CLIENT_SECRET: SECRET })
    issuer = new URL(`https://localhost:${demo.port}`)
    options = { [client.customFetch]: fetchTrusting(await certificateOf(demo)) }
  })

  afterAll(async () => {
    demo.kill('SIGTERM')
    await demo.exited
  })

  function discovered(clientId: string, authentication: client.ClientAuth): Promise<client.Configuration> {
    return client.discovery(issuer, clientId, undefined, authentication, { algorithm: 'oauth2', ...options })
  }

  function exchange(config: client.Configuration, key: string, more: object = {}) {
    const parameters = { subject_token: key, subject_token_type: JWT_TYPE }
    return client.genericGrantRequest(config, EXCHANGE, parameters, more)
  }

  test.each([
    ['client_secret_basic', client.ClientSecretBasic(SECRET)],
    ['client_secret_post', client.ClientSecretPost(SECRET)],
  ])('openid-client goes from a key to an API call with %s, and sees it end', async (_, authentication) => {
    const config = await discovered('demo-client', authentication)
    const { access_token: key } = await client.clientCredentialsGrant(config, {
      scope: 'provision:token config:read',
    })
    const { access_token: token } = await exchange(config, key)
    const api = new URL('/api/device-config', issuer)
    expect((await client.fetchProtectedResource(config, token, api, 'GET')).status).toBe(200)
    expect(await client.tokenIntrospection(config, token)).toMatchObject({ active: true })
    await client.tokenRevocation(config, token)
    expect(await client.tokenIntrospection(config, token)).toEqual({ active: false })
    await expect(client.fetchProtectedResource(config, token, api, 'GET')).rejects.toMatchObject({
      status: 401,
    })
  })

  test.each(['ES256', 'PS256', 'Ed25519'])(
    'openid-client binds a device by DPoP with %s, which then goes on by itself with private_key_jwt',
    async (alg) => {
      const config = await discovered('demo-client', client.ClientSecretBasic(SECRET))
      const pair = await client.randomDPoPKeyPair(alg)
      const DPoP = client.getDPoPHandle(config, pair)
      const device = `device:${alg}`
      const asked = { scope: 'provision:bind provision:token config:read', requested_subject: device }
      const { access_token: key } = await client.clientCredentialsGrant(config, asked, { DPoP })
      const bind = new URL(String(config.serverMetadata().provisioning_binding_endpoint))
      const bound = await client.fetchProtectedResource(config, key, bind, 'POST', null, new Headers(), {
        DPoP,
      })
      expect([bound.status, await bound.json()]).toEqual([
        201,
        expect.objectContaining({ client_id: device }),
      ])

      const own = await discovered(device, client.PrivateKeyJwt(pair.privateKey))
      const proving = { DPoP: client.getDPoPHandle(own, pair) }
      const next = await client.clientCredentialsGrant(own, { scope: 'provision:token config:read' }, proving)
      const { access_token: token, token_type } = await exchange(own, next.access_token, proving)
      expect(token_type).toBe('dpop')
      const api = new URL('/api/device-config', issuer)
      const answered = await client.fetchProtectedResource(
        own,
        token,
        api,
        'GET',
        null,
        new Headers(),
        proving,
      )
      expect(await answered.json()).toMatchObject({ device })
    },
  )

  test('oauth4webapi registers a client, which manages itself (RFC 7592) and asks for a key', async () => {
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
    const as = await oauth.processDiscoveryResponse(issuer, found)
    const asker = { client_id: 'demo-client' }
    const authentication = oauth.ClientSecretBasic(SECRET)
    const scope = new URLSearchParams({ scope: 'provision:register provision:token config:read' })
    const asked = await oauth.clientCredentialsGrantRequest(as, asker, authentication, scope, options)
    const { access_token: key } = await oauth.processClientCredentialsResponse(as, asker, asked)
    const metadata = { client_name: 'lamp', scope: 'provision:token config:read' }
    const initialAccessToken = { initialAccessToken: key, ...options }
    const answered = await oauth.dynamicClientRegistrationRequest(as, metadata, initialAccessToken)
    const registered = await oauth.processDynamicClientRegistrationResponse(answered)
    const own = { client_id: registered.client_id }

    const secret = oauth.ClientSecretBasic(String(registered.client_secret))
    const again = await oauth.clientCredentialsGrantRequest(as, own, secret, new URLSearchParams(), options)
    expect(await oauth.processClientCredentialsResponse(as, own, again)).toMatchObject({
      scope: 'provision:token config:read',
    })

    const manage = (method: string) =>
      oauth.protectedResourceRequest(
        String(registered.registration_access_token),
        method,
        new URL(String(registered.registration_client_uri)),
        undefined,
        null,
        options,
      )
    expect(await (await manage('GET')).json()).toMatchObject({ ...own, client_name: 'lamp' })
    expect((await manage('DELETE')).status).toBe(204)
    await expect(manage('GET')).rejects.toMatchObject({ status: 401 })
  })
})
