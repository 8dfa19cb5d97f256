import { send } from '../support/requests.js'
import { type RunningServer, startServer } from '../support/server.js'

/** The methods of the endpoint behind each member of the metadata, and its RFC. */
const METHODS: Readonly<Record<string, readonly ('get' | 'post')[]>> = {
  token_endpoint: ['post'],
  registration_endpoint: ['post'],
  introspection_endpoint: ['post'],
  revocation_endpoint: ['post'],
  provisioning_binding_endpoint: ['post'],
  provisioning_bindings_endpoint: ['post'],
  provisioning_binding_revocation_endpoint: ['post'],
  jwks_uri: ['get'],
}

let server: RunningServer

beforeAll(async () => {
  server = await startServer({
    optionsAt: (origin) => ({ issuer: `${origin}/tenants/one`, audience: [origin, `${origin}/v1/things`] }),
    mount: (app, keys) => void app.use(keys.router()),
  })
})

afterAll(() => server.close())

async function metadata(path: string): Promise<Record<string, unknown>> {
  const { body } = await send(server, 'get', path).expect(200)
  return body
}

describe('what the metadata promise', () => {
  it('is kept: each endpoint is there, has its method, and no other', async () => {
    const promised = await metadata('/.well-known/oauth-authorization-server/tenants/one')
    const addresses = Object.entries(promised).filter(([name]) => /_(endpoint|uri)$/.test(name))
    expect(addresses.map(([name]) => name).sort()).toEqual(
      Object.keys(METHODS)
        .filter((name) => name in promised)
        .sort(),
    )
    for (const [name, address] of addresses) {
      const { origin, pathname } = new URL(String(address))
      expect(origin).toBe(server.origin)
      for (const method of ['get', 'post'] as const) {
        const { status } = await send(server, method, pathname)
        if (METHODS[name]?.includes(method)) expect([200, 400, 401, 415]).toContain(status)
        else expect(status).toBe(405)
      }
    }
  })

  it('has every grant: none is unsupported', async () => {
    const { grant_types_supported: grants } = await metadata(
      '/.well-known/oauth-authorization-server/tenants/one',
    )
    for (const grant_type of grants as string[]) {
      const { body } = await send(server, 'post', '/oauth/token').type('form').send({ grant_type })
      expect(['invalid_client', 'invalid_request']).toContain(body.error)
    }
    const { body } = await send(server, 'post', '/oauth/token').type('form').send({ grant_type: 'password' })
    expect(body.error).toBe('unsupported_grant_type')
  })

  it.each(['', '/v1/things'])('leads from the resource %j to its authorization server', async (path) => {
    const resource = await metadata(`/.well-known/oauth-protected-resource${path}`)
    expect(resource).toMatchObject({ resource: `${server.origin}${path}` })
    const [issuer = ''] = resource.authorization_servers as string[]
    const { pathname } = new URL(issuer)
    expect(await metadata(`/.well-known/oauth-authorization-server${pathname}`)).toMatchObject({ issuer })
  })
})
