/** A deployment of another vendor: oidc-provider, with client_credentials, introspection, revocation and DPoP. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import Provider, { errors } from 'oidc-provider'

const server = createServer()
await once(server.listen(0, '127.0.0.1'), 'listening')
const issuer = `http://localhost:${server.address().port}`
const audience = `${issuer}/api`
const api = { scope: 'api:read', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }
const provider = new Provider(issuer, {
  scopes: ['api:read'],
  clients: [
    {
      client_id: 'tester',
      client_secret: process.env.SECRET,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'api:read',
    },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo(_context, resource) {
        if (resource !== audience) throw new errors.InvalidTarget()
        return { ...api, audience }
      },
    },
  },
})
server.on('request', provider.callback())
console.log(issuer)
