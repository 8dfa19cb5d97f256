import type { webcrypto } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { CLIENT_ALGORITHMS } from '../../support/client-assertion.js'
import { fetchTrusting } from '../../support/foreign-fetch.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { type RunningServer, startServer } from '../../support/server.js'

const ID = 'signer'

interface Party {
  readonly server: RunningServer
  readonly privateKey: webcrypto.CryptoKey
  readonly options: { [client.customFetch]: client.CustomFetch }
}

/** A server that knows the public key of a client. Only the foreign library has the private key. */
async function withParty(alg: string, test: (party: Party) => Promise<void>): Promise<void> {
  const { privateKey, publicKey } = await generate(alg)
  const { key_ops: _, ext: __, alg: ___, ...jwk } = await crypto.subtle.exportKey('jwk', publicKey)
  const server = await startServer({
    optionsAt: (origin) => ({
      issuer: origin,
      audience: origin,
      clients: [{ clientId: ID, jwks: { keys: [{ ...jwk, kid: 'one' }] } }],
    }),
    mount: (app, keys) => void app.use(keys.router()),
  })
  try {
    await test({ server, privateKey, options: { [client.customFetch]: fetchTrusting(server.cert) } })
  } finally {
    await server.close()
  }
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

async function generate(alg: string): Promise<webcrypto.CryptoKeyPair> {
  const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }
  const parameters = alg.startsWith('Ed')
    ? { name: 'Ed25519' }
    : alg.startsWith('ES')
      ? { name: 'ECDSA', namedCurve: CURVES[alg] }
      : { name: alg === 'PS256' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', ...rsa }
  return (await crypto.subtle.generateKey(parameters, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
}

describe('private_key_jwt by clients that we did not write', () => {
  test.each(CLIENT_ALGORITHMS.filter((alg) => alg !== 'EdDSA'))(
    'openid-client asks, exchanges, introspects and revokes with %s',
    (alg) =>
      withParty(alg, async ({ server, privateKey, options }) => {
        const authentication = client.PrivateKeyJwt({ key: privateKey, kid: 'one' })
        const config = await client.discovery(new URL(server.origin), ID, undefined, authentication, {
          algorithm: 'oauth2',
          ...options,
        })
        expect(config.serverMetadata().token_endpoint_auth_methods_supported).toContain('private_key_jwt')
        expect(config.serverMetadata().token_endpoint_auth_signing_alg_values_supported).toContain(alg)
        const ask = () => client.clientCredentialsGrant(config, { scope: 'provision:token devices:read' })
        const first = await ask()
        expect(await client.tokenIntrospection(config, first.access_token)).toMatchObject({ active: true })
        const exchanged = await client.genericGrantRequest(config, EXCHANGE, {
          subject_token: first.access_token,
          subject_token_type: JWT_TYPE,
        })
        expect(exchanged).toMatchObject({ token_type: 'bearer', scope: 'devices:read' })
        const second = await ask()
        await client.tokenRevocation(config, second.access_token)
        expect(await client.tokenIntrospection(config, second.access_token)).toEqual({ active: false })
      }),
  )

  test('oauth4webapi asks for a key', () =>
    withParty('ES256', async ({ server, privateKey, options }) => {
      const issuer = new URL(server.origin)
      const found = await oauth.discoveryRequest(issuer, {
        algorithm: 'oauth2',
        ...options,
      } as oauth.DiscoveryRequestOptions)
      const as = await oauth.processDiscoveryResponse(issuer, found)
      const self = { client_id: ID }
      const response = await oauth.clientCredentialsGrantRequest(
        as,
        self,
        oauth.PrivateKeyJwt(privateKey),
        new URLSearchParams({ scope: 'devices:read' }),
        options as oauth.ClientCredentialsGrantRequestOptions,
      )
      const issued = await oauth.processClientCredentialsResponse(as, self, response)
      expect(issued).toMatchObject({ token_type: 'bearer', scope: 'devices:read' })
    }))

  test('a key that the client does not have lets nobody in', () =>
    withParty('ES256', async ({ server, options }) => {
      const { privateKey } = await generate('ES256')
      const config = await client.discovery(
        new URL(server.origin),
        ID,
        undefined,
        client.PrivateKeyJwt({ key: privateKey, kid: 'one' }),
        { algorithm: 'oauth2', ...options },
      )
      await expect(client.clientCredentialsGrant(config, { scope: 'devices:read' })).rejects.toMatchObject({
        error: 'invalid_client',
      })
      expect(server.events.at(-1)).toMatchObject({ reason: 'client_assertion_signature_wrong', clientId: ID })
    }))
})
