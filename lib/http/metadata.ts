import { EXCHANGE_GRANT } from '../base/oauth-names.js'
import { GRANT_TYPES, type GrantType } from '../clients/client-metadata.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import { CERTIFICATE_METHODS, CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'
import type { GuardContext, HttpContext } from './context.js'
import type { Endpoint } from './endpoints.js'

/** The endpoints and grants that the routers of one instance serve. The metadata announces no others. */
export interface Served {
  readonly endpoints: ReadonlySet<Endpoint>
  readonly grants: ReadonlySet<GrantType>
}

// A key can be exchanged without any other credential. The metadata calls that `none`.
const WITHOUT_CLIENT = [...CLIENT_AUTHENTICATION_METHODS, 'none']

/** The metadata of the authorization server (RFC 8414 2). */
export function authorizationServerMetadata(context: HttpContext, served: Served): object {
  const { deployment, knownScopes } = context.config
  const endpoints = [...served.endpoints]
  const addresses = endpoints.flatMap(({ member, path }) =>
    member ? [[member, context.endpointUrl(path)]] : [],
  )
  return {
    issuer: deployment.issuer,
    ...Object.fromEntries(addresses),
    ...announced(context, {
      ...Object.assign({}, ...endpoints.map(({ facts }) => facts)),
      ...(served.grants.has(EXCHANGE_GRANT) && { token_endpoint_auth_methods_supported: WITHOUT_CLIENT }),
    }),
    ...certificateFacts(context),
    ...aliases(context, endpoints),
    grant_types_supported: GRANT_TYPES.filter((grant) => served.grants.has(grant)),
    dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
    // RFC 8414 2 requires it, although no grant of this server has a response type.
    response_types_supported: [],
    ...(knownScopes.length > 0 && { scopes_supported: knownScopes }),
  }
}

/** The facts of the endpoints. Certificate methods are left out unless the server asks for certificates. */
function announced({ config }: HttpContext, facts: Readonly<Record<string, readonly string[]>>): object {
  if (config.mtls.isAnnounced) return facts
  const isForOthers = (method: string) => !(CERTIFICATE_METHODS as readonly string[]).includes(method)
  return Object.fromEntries(Object.entries(facts).map(([name, values]) => [name, values.filter(isForOthers)]))
}

/** RFC 8705 3.3, and RFC 9728 2 for resources. */
function certificateFacts({ config }: GuardContext): object {
  return config.mtls.isAnnounced ? { tls_client_certificate_bound_access_tokens: true } : {}
}

/** The URL of each endpoint for clients with a certificate (RFC 8705 5). */
function aliases(context: HttpContext, endpoints: readonly Endpoint[]): object {
  const addresses = endpoints.flatMap((endpoint) => {
    const { alias } = context.targetOf(endpoint)
    return endpoint.member?.endsWith('_endpoint') && alias !== undefined ? [[endpoint.member, alias]] : []
  })
  return addresses.length > 0 ? { mtls_endpoint_aliases: Object.fromEntries(addresses) } : {}
}

/** The metadata of a resource that accepts provisioning keys (RFC 9728 2). */
export function protectedResourceMetadata(
  context: GuardContext,
  audience: string,
  scopes: readonly string[],
): object {
  const { deployment } = context.config
  return {
    resource: audience,
    authorization_servers: [deployment.issuer],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
    ...certificateFacts(context),
    ...(scopes.length > 0 && { scopes_supported: scopes }),
  }
}

/** The path of the issuer's metadata: the path of the issuer follows the well-known path (RFC 8414 3.1). */
export function authorizationServerMetadataPath(issuer: string): string {
  const { pathname } = new URL(issuer)
  return `/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
}
