import { Router } from 'express'
import type { GrantType } from '../clients/client-metadata.js'
import type { HttpContext } from './context.js'
import { documentRouter, resourceDocuments } from './documents.js'
import { ENDPOINTS, type Endpoint, type EndpointKey } from './endpoints.js'
import { errorHandler } from './error-handler.js'
import { HANDLERS } from './handlers.js'
import { authorizationServerMetadata, authorizationServerMetadataPath } from './metadata.js'
import { protection, ROUTING, refuseOtherMethods } from './routing.js'
import { serve } from './serve.js'
import { tokenHandler } from './token-endpoint.js'
import type { Handle } from './visit.js'

/** The routers of one instance. Each can be mounted at the root of an app or at the mount path. */
export interface Routers {
  issuance(): Router
  redemption(): Router
  /** Clients list and revoke their bound keys here. Empty if clients cannot be saved. */
  bindings(): Router
  introspection(): Router
  revocation(): Router
  jwks(): Router
  /** Only at the root, because RFC 8414 and RFC 9728 define the paths. */
  metadata(): Router
  /** All of them. */
  router(): Router
}

type Handled = keyof typeof HANDLERS
type Route = readonly [EndpointKey, Handle]

/** The endpoints and grants that the routers of one instance serve. The metadata name no others. */
interface Served {
  readonly endpoints: Set<EndpointKey>
  readonly grants: Set<GrantType>
}

export function routers(context: HttpContext): Routers {
  const served: Served = { endpoints: new Set(), grants: new Set() }
  const make = (...names: Handled[]) => {
    const routes = names.map((name): Route => [name, HANDLERS[name]])
    return endpointRouter(context, served, routes)
  }
  // Clients that cannot be saved cannot be bound or registered.
  const makeIfWritable = (...names: Handled[]) =>
    context.config.deployment.registryWritable ? make(...names) : make()
  const all: Routers = {
    issuance: () => tokenRouter(context, served, 'client_credentials'),
    redemption: () =>
      Router(ROUTING).use(
        tokenRouter(context, served, 'urn:ietf:params:oauth:grant-type:token-exchange'),
        makeIfWritable('bind', 'register', 'readRegistration', 'updateRegistration', 'deleteRegistration'),
      ),
    bindings: () => makeIfWritable('bindings', 'revokeBinding'),
    introspection: () => make('introspect'),
    revocation: () => make('revoke'),
    jwks: () => make('jwks'),
    metadata: () => metadataRouter(context, served),
    router() {
      const { router: _, ...each } = all
      return Router(ROUTING).use(Object.values(each).map((makeOne) => makeOne()))
    },
  }
  return all
}

/** The part of the token endpoint that serves one grant. It leaves other grants to the routers that serve them. */
function tokenRouter(context: HttpContext, served: Served, grant: GrantType): Router {
  served.grants.add(grant)
  return endpointRouter(context, served, [
    ['token', tokenHandler([grant], (other) => served.grants.has(other))],
  ])
}

/** A router that serves its endpoints below the mount path. You can mount it at the root or at the mount path. */
function endpointRouter(context: HttpContext, served: Served, routes: readonly Route[]): Router {
  const { mountPath } = context.config
  const inner = Router(ROUTING)
  const before = protection(context)
  for (const [name] of routes) served.endpoints.add(name)
  for (const [path, [first, ...others]] of byPath(routes)) {
    const route = inner.route(pathPattern(path)).all(before)
    for (const [endpoint, handle] of [first, ...others])
      route[VERBS[endpoint.method]](serve(context, endpoint, handle))
    route.all(refuseOtherMethods(context, first[0], ...others.map(([endpoint]) => endpoint)))
  }
  inner.use(errorHandler(context))
  const below = Router(ROUTING).use(mountPath, inner)
  return Router(ROUTING).use((req, res, next) =>
    (req.baseUrl.endsWith(mountPath) ? inner : below)(req, res, next),
  )
}

const VERBS = { GET: 'get', POST: 'post', PUT: 'put', DELETE: 'delete' } as const

type Routed = readonly [Endpoint, Handle]

/** The endpoints that share a path share a route, so that the methods of one are not refused by another. */
function byPath(routes: readonly Route[]): Map<string, [Routed, ...Routed[]]> {
  const paths = new Map<string, [Routed, ...Routed[]]>()
  for (const [name, handle] of routes) {
    const routed: Routed = [ENDPOINTS[name], handle]
    const there = paths.get(routed[0].path)
    if (there === undefined) paths.set(routed[0].path, [routed])
    else there.push(routed)
  }
  return paths
}

/** A variable segment is matched but not captured, because Express throws if it cannot decode a capture. */
function pathPattern(path: string): string | RegExp {
  return path.includes(':') ? new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`) : path
}

function metadataRouter(context: HttpContext, served: Served): Router {
  const { deployment, knownScopes } = context.config
  return documentRouter(context, [
    {
      path: authorizationServerMetadataPath(deployment.issuer),
      name: 'authorization_server_metadata',
      body: () => authorizationServerMetadata(context, served),
    },
    ...resourceDocuments(context, knownScopes),
  ])
}
