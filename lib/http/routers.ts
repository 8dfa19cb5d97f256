import type { RequestHandler } from 'express'
import { EXCHANGE_GRANT } from '../base/oauth-names.js'
import type { GrantType } from '../clients/client-metadata.js'
import type { HttpContext } from './context.js'
import {
  authorizationServerMetadata,
  authorizationServerMetadataPath,
  documentHandler,
  documentsAtRoot,
  documentsFault,
  resourceDocuments,
  type Served,
} from './documents.js'
import { ENDPOINTS, type Endpoint } from './endpoints.js'
import { HANDLERS } from './handlers.js'
import { type Route, refuseMount, restOfMountPath, routeTable } from './routing.js'
import { type Handle, serve } from './serve.js'
import { tokenHandler } from './token-endpoint.js'

/**
 * The routers of one instance of `provisioningKeys()`. Each can be mounted at the root of an app or at the mount path, such
 * as `/oauth`: the endpoints have the same URLs either way.
 */
export interface Routers {
  issuance(): RequestHandler
  redemption(): RequestHandler
  /** Clients list and revoke their bound keys here. Empty if clients cannot be saved. */
  bindings(): RequestHandler
  introspection(): RequestHandler
  revocation(): RequestHandler
  /** Everybody can report leaked keys and tokens here. */
  leakReports(): RequestHandler
  jwks(): RequestHandler
  /** Only at the root, because RFC 8414 and RFC 9728 define the paths. */
  metadata(): RequestHandler
  /** All of them. */
  router(): RequestHandler
}

interface ServedSoFar extends Served {
  readonly endpoints: Set<Endpoint>
  readonly grants: Set<GrantType>
  metadataRouters: number
}

type Part = Exclude<keyof Routers, 'metadata' | 'router'>

/** What each router serves. */
const PARTS: Record<
  Part,
  { readonly grant?: GrantType; readonly names: readonly (keyof typeof HANDLERS)[] }
> = {
  issuance: { grant: 'client_credentials', names: [] },
  redemption: {
    grant: EXCHANGE_GRANT,
    names: ['bind', 'register', 'readRegistration', 'updateRegistration', 'deleteRegistration'],
  },
  bindings: { names: ['bindings', 'revokeBinding'] },
  introspection: { names: ['introspect', 'preflight'] },
  revocation: { names: ['revoke'] },
  leakReports: { names: ['leaked'] },
  jwks: { names: ['jwks'] },
}

export function routers(context: HttpContext): Routers {
  const served: ServedSoFar = { endpoints: new Set(), grants: new Set(), metadataRouters: 0 }
  const make = (part: Part) => () => endpointHandler(context, served, [part])
  return {
    issuance: make('issuance'),
    redemption: make('redemption'),
    bindings: make('bindings'),
    introspection: make('introspection'),
    revocation: make('revocation'),
    leakReports: make('leakReports'),
    jwks: make('jwks'),
    metadata() {
      served.metadataRouters += 1
      return documentsAtRoot(context, metadataHandler(context, served))
    },
    router() {
      served.metadataRouters += 1
      return wholeRouter(context, served)
    },
  }
}

/** All endpoints, and the metadata if it is mounted at the root, where RFC 8414 3.1 and RFC 9728 3.1 define their paths. */
function wholeRouter(context: HttpContext, served: ServedSoFar): RequestHandler {
  const endpoints = endpointHandler(context, served, Object.keys(PARTS) as Part[])
  const metadata = metadataHandler(context, served)
  return function serveAll(req, res, next) {
    const isAtRoot = req.baseUrl === ''
    // At the mount path it cannot serve the metadata, so there must be another router that does.
    if (!isAtRoot && served.metadataRouters === 1)
      return refuseMount(context, next, documentsFault('router', req.baseUrl))
    endpoints(req, res, (error?: unknown) =>
      isAtRoot && error === undefined ? metadata(req, res, next) : next(error),
    )
  }
}

/** Serves the endpoints of some parts below the mount path, if the app mounts it there or at the start of that path. */
function endpointHandler(context: HttpContext, served: ServedSoFar, parts: readonly Part[]): RequestHandler {
  const { mountPath } = context.config
  const find = routeTable(context, routesOf(context, served, parts))

  return function serveEndpoints(req, res, next) {
    const { baseUrl, path } = req
    const rest = restOfMountPath(mountPath, baseUrl)
    if (rest === undefined) return refuseMount(context, next, mountFault(mountPath, baseUrl))
    // If not, the client wrote the mount path in another case. Our paths are case-sensitive.
    const isBelow = mountPath.startsWith(baseUrl) && path.startsWith(rest)
    const handle = isBelow ? find(path.slice(rest.length)) : undefined
    if (handle === undefined) next()
    else handle(req, res, next)
  }
}

function routesOf(context: HttpContext, served: ServedSoFar, parts: readonly Part[]): readonly Route[] {
  const grants = parts.flatMap((part) => PARTS[part].grant ?? [])
  // Clients that cannot be saved cannot be bound or registered.
  const { registryWritable } = context.config.deployment
  const named = parts.flatMap((part) =>
    registryWritable || !['redemption', 'bindings'].includes(part) ? PARTS[part].names : [],
  )
  const names = named.filter((name) => name !== 'preflight' || context.config.isStaging)
  const handleToken = tokenHandler(grants, (other) => served.grants.has(other))
  const handles: (readonly [Endpoint, Handle])[] = [
    ...(grants.length > 0 ? [[ENDPOINTS.token, handleToken] as const] : []),
    ...names.map((name) => [ENDPOINTS[name], HANDLERS[name]] as const),
  ]
  for (const grant of grants) served.grants.add(grant)
  return handles.map(([endpoint, handle]) => {
    served.endpoints.add(endpoint)
    return { path: pathPattern(endpoint.path), endpoint, handle: serve(context, endpoint, handle) }
  })
}

function mountFault(mountPath: string, baseUrl: string): string {
  return (
    `keys.router(): expected at the root of the app, or at mountPath ('${mountPath}'), got '${baseUrl}'. Write ` +
    `app.use(keys.router()). For endpoints below '${baseUrl}' also set mountPath: '${baseUrl}${mountPath}'`
  )
}

/** A variable segment is matched but not captured, so that a broken percent-encoding is only refused later. */
function pathPattern(path: string): string | RegExp {
  return path.includes(':') ? new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`) : path
}

function metadataHandler(context: HttpContext, served: Served): RequestHandler {
  const { deployment, knownScopes } = context.config
  return documentHandler(context, [
    {
      path: authorizationServerMetadataPath(deployment.issuer),
      name: 'authorization_server_metadata',
      body: () => authorizationServerMetadata(context, served),
    },
    ...resourceDocuments(context, knownScopes),
  ])
}
