import { GRANT_TYPES, type GrantType } from '../clients/client-metadata.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import { CERTIFICATE_METHODS, CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'
import type { GuardContext, HttpContext } from './context.js'
import { ENDPOINTS, type Endpoint, type EndpointKey } from './endpoints.js'

/** What of an instance has been made, and so can be promised. */
export interface Made {
  readonly endpoints: ReadonlySet<EndpointKey>
  readonly grants: ReadonlySet<GrantType>
}

// The holder of a key exchanges it without any other credential, which is `none`.
const EXCHANGE_GRANT = GRANT_TYPES[1]
const WITHOUT_CLIENT = [...CLIENT_AUTHENTICATION_METHODS, 'none']

/** The metadata of the authorization server (RFC 8414 2): the endpoints that have been made, and no others. */
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
    // Required by RFC 8414 2, though no grant of this server has one.
    response_types_supported: [],
    ...(knownScopes.length > 0 && { scopes_supported: knownScopes }),
  }
}

/** What endpoints say of themselves, without methods that want a certificate where nobody is asked for one. */
function announced({ config }: HttpContext, facts: Readonly<Record<string, readonly string[]>>): object {
  if (config.mtls.isAnnounced) return facts
  const isForOthers = (method: string) => !(CERTIFICATE_METHODS as readonly string[]).includes(method)
  return Object.fromEntries(Object.entries(facts).map(([name, values]) => [name, values.filter(isForOthers)]))
}

/** RFC 8705 3.3, and RFC 9728 2 for resources. */
function certificateFacts({ config }: GuardContext): object {
  return config.mtls.isAnnounced ? { tls_client_certificate_bound_access_tokens: true } : {}
}

/** Where each endpoint is reached with a client certificate (RFC 8705 5). */
function aliases(context: HttpContext, present: readonly Endpoint[]): object {
  const addresses = present.flatMap(({ member, path }) => {
    const alias = context.endpointAlias(path)
    return member?.endsWith('_endpoint') && alias !== undefined ? [[member, alias]] : []
  })
  return addresses.length > 0 ? { mtls_endpoint_aliases: Object.fromEntries(addresses) } : {}
}

/** The metadata of a resource that takes provisioning keys (RFC 9728 2). */
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

/** Where the metadata of the issuer are: its path is inserted after the well-known one (RFC 8414 3.1). */
export function authorizationServerMetadataPath(issuer: string): string {
  const { pathname } = new URL(issuer)
  return `/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
}
