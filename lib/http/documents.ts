import type { Request, RequestHandler } from 'express'
import { EXCHANGE_GRANT } from '../base/oauth-names.js'
import { GRANT_TYPES, type GrantType } from '../clients/client-metadata.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import { CERTIFICATE_METHODS, CLIENT_AUTHENTICATION_METHODS } from '../ports/methods.js'
import { refuseUnclear } from '../tokens/presentation.js'
import type { GuardContext, HttpContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { refuse } from './refusal.js'
import { refuseMount, routeTable } from './routing.js'
import { answer, hostOf } from './wire.js'

/** A public, cacheable document about the server. */
export interface PublicDocument {
  readonly path: string
  readonly name: 'authorization_server_metadata' | 'protected_resource_metadata'
  readonly body: (req: Request) => object
}

/** The metadata that an API publishes. */
export interface ResourceMetadata {
  /** The metadata that challenges point to. Mount it at the root of the app, because RFC 9728 defines the path. */
  metadata(): RequestHandler
}

export function resourceMetadata(context: GuardContext): ResourceMetadata {
  return { metadata: () => documentsAtRoot(context, documentHandler(context, resourceDocuments(context))) }
}

/** Serves documents at the root of an app only, because RFC 8414 3.1 and RFC 9728 3.1 define their paths. */
export function documentsAtRoot(context: GuardContext, documents: RequestHandler): RequestHandler {
  return function serveDocumentsAtRoot(req, res, next) {
    if (req.baseUrl === '') return documents(req, res, next)
    refuseMount(context, next, documentsFault('metadata', req.baseUrl))
  }
}

export function documentsFault(name: 'metadata' | 'router', baseUrl: string): string {
  return (
    `keys.${name}(): expected at the root of the app, where clients look for the metadata, got '${baseUrl}'. Write ` +
    `app.use(keys.${name}()) without a path`
  )
}

/** Makes the handler that serves documents, for the root of an app. */
export function documentHandler(context: GuardContext, documents: readonly PublicDocument[]): RequestHandler {
  const find = routeTable(
    context,
    documents.map(({ path, name, body }) => {
      const endpoint = { name, method: 'GET', path, challenges: 'client' } as const
      return { path, endpoint, handle: serveDocument(context, endpoint, body) }
    }),
  )
  return function serveDocuments(req, res, next) {
    const handle = find(req.path)
    if (handle === undefined) next()
    else handle(req, res, next)
  }
}

function serveDocument(
  context: GuardContext,
  endpoint: Endpoint,
  body: PublicDocument['body'],
): RequestHandler {
  const site = context.siteOf(endpoint)
  const headers = { 'Cache-Control': 'public, max-age=300' }
  return function serveDocument(req, res) {
    const presented = context.present(req)
    try {
      refuseUnclear(presented)
      answer(res, { status: 200, body: body(req), headers })
    } catch (error) {
      refuse(res, error, presented, site)
    }
  }
}

/**
 * The metadata of all audiences that have metadata.
 *
 * @param scopes the known scopes that can be granted
 */
export function resourceDocuments(context: GuardContext, scopes: readonly string[] = []): PublicDocument[] {
  return [...byMetadataPath(context)].map(([path, resources]) => ({
    path,
    name: 'protected_resource_metadata',
    body: (req) => protectedResourceMetadata(context, resourceAt(req, resources), scopes),
  }))
}

/** The resources by the path of their metadata. Resources on different hosts can share a path. */
function byMetadataPath({ config, metadataUrlOf }: GuardContext): Map<string, string[]> {
  const paths = new Map<string, string[]>()
  for (const audience of config.deployment.audiences) {
    const url = metadataUrlOf(audience)
    if (url === undefined) continue
    const { pathname } = new URL(url)
    paths.set(pathname, [...(paths.get(pathname) ?? []), audience])
  }
  return paths
}

/** The resource on the host of the request, or the first. The host is not trusted, but all of this is public. */
function resourceAt(req: Request, resources: readonly string[]): string {
  return resources.find((resource) => new URL(resource).host === hostOf(req)) ?? resources[0] ?? ''
}

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
function protectedResourceMetadata(
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
