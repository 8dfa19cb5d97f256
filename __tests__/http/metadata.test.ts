import type { ProvisioningOptions } from '../../lib/index.js'
import { exactly } from '../support/exact.js'
import { type Mount, withApp } from '../support/host-app.js'
import { send } from '../support/requests.js'
import { AUDIENCE, ISSUER, OTHER_AUDIENCE, type RunningServer } from '../support/server.js'

const SERVER_METADATA = '/.well-known/oauth-authorization-server'
const RESOURCE_METADATA = '/.well-known/oauth-protected-resource'

/** The algorithms of proofs and assertions. */
const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA', 'Ed25519']

const wholeRouter: Mount = (app, keys) => void app.use(keys.router(), keys.errorHandler())

async function metadataAt(server: RunningServer, path: string) {
  const response = await send(server, 'get', path)
    .expect(200)
    .expect('Content-Type', /^application\/json/)
  expect(response.headers['cache-control']).toBe('public, max-age=300')
  return response.body
}

describe('the metadata of the authorization server', () => {
  const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:create', 'devices:read']
  const CLIENT_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']

  test('are these, to the member, when everything has been made', () =>
    withApp(wholeRouter, async (server) => {
      expect(await metadataAt(server, SERVER_METADATA)).toEqual({
        issuer: ISSUER,
        token_endpoint: `${ISSUER}/oauth/token`,
        jwks_uri: `${ISSUER}/oauth/jwks`,
        registration_endpoint: `${ISSUER}/oauth/register`,
        introspection_endpoint: `${ISSUER}/oauth/introspect`,
        revocation_endpoint: `${ISSUER}/oauth/revoke`,
        provisioning_binding_endpoint: `${ISSUER}/oauth/bind`,
        provisioning_bindings_endpoint: `${ISSUER}/oauth/bindings`,
        provisioning_binding_revocation_endpoint: `${ISSUER}/oauth/bindings/revoke`,
        grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: [...CLIENT_METHODS, 'none'],
        introspection_endpoint_auth_methods_supported: CLIENT_METHODS,
        revocation_endpoint_auth_methods_supported: CLIENT_METHODS,
        token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        provisioning_bindings_endpoint_auth_methods_supported: CLIENT_METHODS,
        provisioning_bindings_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        provisioning_binding_revocation_endpoint_auth_methods_supported: CLIENT_METHODS,
        provisioning_binding_revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        dpop_signing_alg_values_supported: ALGORITHMS,
        scopes_supported: SCOPES,
      })
    }))

  test.each<[string, Mount, string[], string[]]>([
    ['nothing', (app, keys) => void app.use(keys.metadata()), [], []],
    [
      'issuance() alone',
      (app, keys) => void app.use(keys.metadata(), keys.issuance()),
      ['token_endpoint'],
      ['client_credentials'],
    ],
    [
      'redemption() and jwks()',
      (app, keys) => void app.use(keys.redemption(), keys.jwks(), keys.metadata()),
      ['jwks_uri', 'provisioning_binding_endpoint', 'registration_endpoint', 'token_endpoint'],
      ['urn:ietf:params:oauth:grant-type:token-exchange'],
    ],
    [
      'introspection() and revocation()',
      (app, keys) => void app.use(keys.metadata(), keys.introspection(), keys.revocation()),
      ['introspection_endpoint', 'revocation_endpoint'],
      [],
    ],
  ])('promise exactly the mounted endpoints: %s', (_title, mount, endpoints, grants) =>
    withApp(mount, async (server) => {
      const metadata = await metadataAt(server, SERVER_METADATA)
      const named = Object.keys(metadata).filter((name) => /_endpoint$|jwks_uri/.test(name))
      expect(named.sort()).toEqual(endpoints)
      expect(metadata.grant_types_supported).toEqual(grants)
    }),
  )

  test('do not promise bind and register where clients cannot be saved', () => {
    const options: Partial<ProvisioningOptions> = { clients: () => undefined }
    return withApp(
      wholeRouter,
      async (server) => {
        const metadata = await metadataAt(server, SERVER_METADATA)
        expect(metadata).not.toHaveProperty('registration_endpoint')
        expect(metadata).not.toHaveProperty('provisioning_binding_endpoint')
        for (const path of ['bind', 'register'])
          await send(server, 'post', `/oauth/${path}`).send({}).expect(404)
      },
      options,
    )
  })

  test.each([
    ['/tenant-1', '/tenant-1', {}],
    ['/a/b.c', '/a/b.c', { mountPath: '/a/b.c/oauth' }],
    ['/a(b)*c+d:e!', '/a(b)*c+d:e!', {}],
    ['/', '', {}],
  ])('are below the well-known path for an issuer with the path %s', (path, suffix, rest) => {
    const issuer = `${ISSUER}${path}`
    return withApp(
      wholeRouter,
      async (server) => {
        const { mountPath = '/oauth' } = rest as { mountPath?: string }
        const metadata = await metadataAt(server, `${SERVER_METADATA}${suffix}`)
        expect(metadata).toMatchObject({ issuer, token_endpoint: `${ISSUER}${mountPath}/token` })
        await send(server, 'get', `${SERVER_METADATA}${suffix}x`).expect(404)
        if (suffix !== '') await send(server, 'get', SERVER_METADATA).expect(404)
      },
      { issuer, ...rest },
    )
  })

  test('can be asked for with HEAD, and by no other method', () =>
    withApp(wholeRouter, async (server) => {
      await send(server, 'head', SERVER_METADATA).expect(200)
      await send(server, 'post', SERVER_METADATA).expect(405).expect('Allow', 'GET, HEAD')
    }))
})

describe('the metadata of a resource', () => {
  test('are these, to the member, for each audience', () =>
    withApp(wholeRouter, async (server) => {
      const common = {
        authorization_servers: [ISSUER],
        bearer_methods_supported: ['header'],
        dpop_signing_alg_values_supported: ALGORITHMS,
        scopes_supported: expect.arrayContaining(['devices:read']),
      }
      expect(await metadataAt(server, RESOURCE_METADATA)).toEqual({ resource: AUDIENCE, ...common })
      expect(await metadataAt(server, `${RESOURCE_METADATA}/things`)).toEqual({
        resource: OTHER_AUDIENCE,
        ...common,
      })
      await send(server, 'get', `${RESOURCE_METADATA}/other`).expect(404)
    }))

  test('are where the challenge of a guarded route says', () =>
    withApp(
      (app, keys) => {
        app.use(keys.metadata())
        app.get('/root', keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }))
        app.get('/things', keys.requireProvisioningKey({ anyScope: true, audience: OTHER_AUDIENCE }))
      },
      async (server) => {
        for (const [path, audience] of [
          ['/root', AUDIENCE],
          ['/things', OTHER_AUDIENCE],
        ] as const) {
          const { headers } = await send(server, 'get', path).expect(401)
          const [, url = ''] = /resource_metadata="([^"]+)"/.exec(headers['www-authenticate'] ?? '') ?? []
          expect(url).toMatch(new URL(audience).origin)
          expect(await metadataAt(server, new URL(url).pathname)).toMatchObject({ resource: audience })
        }
      },
    ))

  // RFC 9728 3.3: a client must refuse the metadata of another resource.
  test('are of the audience whose host is asked, where several have the same path', () => {
    const audience = ['https://one.example.com/api', 'https://two.example.com/api']
    return withApp(
      wholeRouter,
      async (server) => {
        for (const resource of audience) {
          const headers = { Host: new URL(resource).host }
          const { text } = await exactly(server, { method: 'GET', path: `${RESOURCE_METADATA}/api`, headers })
          expect(JSON.parse(text)).toMatchObject({ resource })
        }
      },
      { audience },
    )
  })

  test('are not there for an audience that is no https URL', () =>
    withApp(
      (app, keys) => {
        app.use(keys.router())
        app.get('/guarded', keys.requireProvisioningKey({ anyScope: true }))
      },
      async (server) => {
        await send(server, 'get', RESOURCE_METADATA).expect(404)
        const { headers } = await send(server, 'get', '/guarded').expect(401)
        expect(headers['www-authenticate']).toBe(
          `Bearer realm="auth.example.com", DPoP realm="auth.example.com", algs="${ALGORITHMS.join(' ')}"`,
        )
      },
      { audience: 'urn:example:devices' },
    ))
})
