import { Router } from 'express'
import type { GrantType } from '../clients/client-metadata.js'
import type { HttpContext } from './context.js'
import { documentRouter, documentsAtRoot, documentsFault, resourceDocuments } from './documents.js'
import { ENDPOINTS, type Endpoint } from './endpoints.js'
import { errorHandler } from './error-handler.js'
import { HANDLERS } from './handlers.js'
import { authorizationServerMetadata, authorizationServerMetadataPath, type Served } from './metadata.js'
import { protection, ROUTING, refuseMount, refuseOtherMethods, restOfMountPath } from './routing.js'
import { serve } from './serve.js'
import { tokenHandler } from './token-endpoint.js'
import type { Handle } from './visit.js'

/**
 * The routers of one instance of `provisioningKeys()`. Each can be mounted at the root of an app or at the mount path, such
 * as `/oauth`: the endpoints have the same URLs either way.
 */
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

type Route = readonly [Endpoint, Handle]

/** What the routers made so far serve. */
interface ServedSoFar extends Served {
  readonly endpoints: Set<Endpoint>
  readonly grants: Set<GrantType>
  /** The number of routers with the metadata. */
  metadataRouters: number
}

export function routers(context: HttpContext): Routers {
  const served: ServedSoFar = { endpoints: new Set(), grants: new Set(), metadataRouters: 0 }
  const make = (...names: (keyof typeof HANDLERS)[]) => {
    const routes = names.map((name): Route => [ENDPOINTS[name], HANDLERS[name]])
    return endpointRouter(context, served, routes)
  }
  // Clients that cannot be saved cannot be bound or registered.
  const makeIfWritable: typeof make = (...names) =>
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
    metadata() {
      served.metadataRouters += 1
      return documentsAtRoot(context, metadataRouter(context, served))
    },
    router() {
      served.metadataRouters += 1
      const { issuance, redemption, bindings, introspection, revocation, jwks } = all
      const parts = [issuance, redemption, bindings, introspection, revocation, jwks]
      return wholeRouter(
        context,
        served,
        parts.map((makePart) => makePart()),
      )
    },
  }
  return all
}

/** All routers, and the metadata if it is mounted at the root, where RFC 8414 3.1 and RFC 9728 3.1 define their paths. */
function wholeRouter(context: HttpContext, served: ServedSoFar, parts: Router[]): Router {
  const metadata = metadataRouter(context, served)
  return Router(ROUTING)
    .use((req, _res, next) => {
      // At the mount path it cannot serve the metadata, so there must be another router that does.
      if (req.baseUrl === '' || served.metadataRouters > 1) next()
      else refuseMount(context, next, documentsFault('router', req.baseUrl))
    })
    .use(parts)
    .use((req, res, next) => (req.baseUrl === '' ? metadata(req, res, next) : next()))
}

/** The part of the token endpoint that serves one grant. It leaves other grants to the routers that serve them. */
function tokenRouter(context: HttpContext, served: ServedSoFar, grant: GrantType): Router {
  served.grants.add(grant)
  const handle = tokenHandler([grant], (other) => served.grants.has(other))
  return endpointRouter(context, served, [[ENDPOINTS.token, handle]])
}

/** A router that serves its endpoints below the mount path. You can mount it at the root or at the mount path. */
function endpointRouter(context: HttpContext, served: ServedSoFar, routes: readonly Route[]): Router {
  const router = Router(ROUTING)
  const before = protection(context)
  for (const [endpoint] of routes) served.endpoints.add(endpoint)
  // Endpoints that share a path share a route, so that one does not refuse the methods of another.
  const byPath = new Map(routes.map(([endpoint]) => [endpoint.path, endpoint]))
  for (const [path, endpoint] of byPath) {
    const own = routes.filter(([other]) => other.path === path)
    const methods = own.map(([{ method }]) => method)
    const route = router.route(pathPattern(path)).all(before)
    for (const [one, handle] of own) route[VERBS[one.method]](serve(context, one, handle))
    route.all(refuseOtherMethods(context, endpoint, methods))
  }
  router.use(errorHandler(context))
  return atMountPath(context, router)
}

/** Serves `router` below the mount path, no matter if the app mounts it there or at the start of that path. */
function atMountPath(context: HttpContext, router: Router): Router {
  const { mountPath } = context.config
  const byRest = new Map([['', router]])
  return Router(ROUTING).use((req, res, next) => {
    const { baseUrl } = req
    const rest = restOfMountPath(mountPath, baseUrl)
    if (rest === undefined) return refuseMount(context, next, mountFault(mountPath, baseUrl))
    // The client wrote the mount path in another case. Our paths are case-sensitive.
    if (!mountPath.startsWith(baseUrl)) return next()
    const mounted = byRest.get(rest) ?? Router(ROUTING).use(rest, router)
    byRest.set(rest, mounted)
    mounted(req, res, next)
  })
}

function mountFault(mountPath: string, baseUrl: string): string {
  return (
    `keys.router(): expected at the root of the app, or at mountPath ('${mountPath}'), got '${baseUrl}'. Write ` +
    `app.use(keys.router()). For endpoints below '${baseUrl}' also set mountPath: '${baseUrl}${mountPath}'`
  )
}

/** The functions of an Express route. */
const VERBS = { GET: 'get', POST: 'post', PUT: 'put', DELETE: 'delete' } as const

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
