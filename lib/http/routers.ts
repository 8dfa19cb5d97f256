import { Router } from 'express'
import type { GrantType } from '../clients/client-metadata.js'
import type { HttpContext } from './context.js'
import { documentRouter, documentsAtRoot, documentsFault, resourceDocuments } from './documents.js'
import { ENDPOINTS, type Endpoint, type EndpointKey } from './endpoints.js'
import { errorHandler } from './error-handler.js'
import { HANDLERS } from './handlers.js'
import { authorizationServerMetadata, authorizationServerMetadataPath } from './metadata.js'
import { protection, ROUTING, refuseMount, refuseOtherMethods, restOfMountPath } from './routing.js'
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
  /** How many routers serve the metadata. */
  documents: number
}

export function routers(context: HttpContext): Routers {
  const served: Served = { endpoints: new Set(), grants: new Set(), documents: 0 }
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
    metadata() {
      served.documents += 1
      return documentsAtRoot(context, metadataRouter(context, served))
    },
    router() {
      const { router: _, metadata: __, ...each } = all
      served.documents += 1
      return wholeRouter(
        context,
        served,
        Object.values(each).map((makeOne) => makeOne()),
      )
    },
  }
  return all
}

/** All routers, and the metadata if it is mounted at the root, where RFC 8414 3.1 and RFC 9728 3.1 define their paths. */
function wholeRouter(context: HttpContext, served: Served, routers: Router[]): Router {
  const documents = metadataRouter(context, served)
  return Router(ROUTING)
    .use((req, _res, next) => {
      // Elsewhere, another router must serve the metadata.
      if (req.baseUrl === '' || served.documents > 1) next()
      else refuseMount(context, next, documentsFault('router', req.baseUrl))
    })
    .use(routers)
    .use((req, res, next) => (req.baseUrl === '' ? documents(req, res, next) : next()))
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
  return atMountPath(context, inner)
}

/** Serves `inner` below the mount path, wherever on the way there the router is mounted. */
function atMountPath(context: HttpContext, inner: Router): Router {
  const { mountPath } = context.config
  const byRest = new Map([['', inner]])
  return Router(ROUTING).use((req, res, next) => {
    const { baseUrl } = req
    const rest = restOfMountPath(mountPath, baseUrl)
    if (rest === undefined) return refuseMount(context, next, mountFault(mountPath, baseUrl))
    if (!mountPath.startsWith(baseUrl)) return next()
    const router = byRest.get(rest) ?? Router(ROUTING).use(rest, inner)
    byRest.set(rest, router)
    router(req, res, next)
  })
}

function mountFault(mountPath: string, baseUrl: string): string {
  return (
    `keys.router(): expected at the root of the app, or at mountPath ('${mountPath}'), got '${baseUrl}'. Write ` +
    `app.use(keys.router()). For endpoints below '${baseUrl}' also set mountPath: '${baseUrl}${mountPath}'`
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
