import { GRANT_TYPES, type GrantType } from '../clients/client-metadata.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import { CERTIFICATE_METHODS, CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'
import type { GuardContext, HttpContext } from './context.js'
import { ENDPOINTS, type Endpoint, type EndpointKey } from './endpoints.js'

/** The endpoints and grants that exist, so that the metadata can announce them. */
export interface Made {
  readonly endpoints: ReadonlySet<EndpointKey>
  readonly grants: ReadonlySet<GrantType>
}

// A key can be exchanged without any other credential. The metadata call that `none`.
const EXCHANGE_GRANT = GRANT_TYPES[1]
const WITHOUT_CLIENT = [...CLIENT_AUTHENTICATION_METHODS, 'none']

/** The metadata of the authorization server (RFC 8414 2), with the existing endpoints only. */
export function authorizationServerMetadata(context: HttpContext, made: Made): object {
  const { deployment, knownScopes } = context.config
  const present: Endpoint[] = [...made.endpoints].map((name) => ENDPOINTS[name])
  const addresses = present.flatMap(({ member, path }) =>
    member ? [[member, context.endpointUrl(path)]] : [],
  )
  return {
    issuer: deployment.issuer,
    ...Object.fromEntries(addresses),
    ...announced(context, {
      ...Object.assign({}, ...present.map(({ facts }) => facts)),
      ...(made.grants.has(EXCHANGE_GRANT) && { token_endpoint_auth_methods_supported: WITHOUT_CLIENT }),
    }),
    ...certificateFacts(context),
    ...aliases(context, present),
    grant_types_supported: GRANT_TYPES.filter((grant) => made.grants.has(grant)),
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
function aliases(context: HttpContext, present: readonly Endpoint[]): object {
  const addresses = present.flatMap(({ member, path }) => {
    const alias = context.endpointAlias(path)
    return member?.endsWith('_endpoint') && alias !== undefined ? [[member, alias]] : []
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
