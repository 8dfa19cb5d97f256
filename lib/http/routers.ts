import { type Request, type RequestHandler, Router } from 'express'
import type { GrantType } from '../core/client-metadata.js'
import { type HttpContext, resourceMetadataUrl } from './context.js'
import { ENDPOINTS, type Endpoint, type EndpointKey } from './endpoints.js'
import { errorHandler } from './error-handler.js'
import { handlers } from './handlers.js'
import { httpsGuard } from './https.js'
import {
  authorizationServerMetadata,
  authorizationServerMetadataPath,
  protectedResourceMetadata,
} from './metadata.js'
import { securityHeaders } from './security-headers.js'
import { type Handle, refuseOtherMethods, serve, type Visit } from './serve.js'

/** The routers of one instance. Each can be mounted at the root of an app or at the mount path. */
export interface Routers {
  issuance(): Router
  redemption(): Router
  /** Where clients list and revoke their bound keys; empty where clients cannot be saved. */
  bindings(): Router
  introspection(): Router
  revocation(): Router
  jwks(): Router
  /** Only at the root: RFC 8414 and RFC 9728 say where metadata are. */
  metadata(): Router
  /** All of them. */
  router(): Router
}

export function routers(context: HttpContext): Routers {
  const handle = handlers(context)
  const made = { endpoints: new Set<EndpointKey>(), grants: new Set<GrantType>() }
  const { deployment } = context.config

  function make(routes: Partial<Record<EndpointKey, Handle>>): Router {
    for (const name of Object.keys(routes)) made.endpoints.add(name as EndpointKey)
    return mountable(context, routes)
  }

  function token(grant: GrantType): Handle {
    made.grants.add(grant)
    return handle.token([grant], (other) => made.grants.has(other))
  }

  const all: Routers = {
    issuance: () => make({ token: token('client_credentials') }),
    redemption: () => {
      const exchange = token('urn:ietf:params:oauth:grant-type:token-exchange')
      return make({
        token: exchange,
        ...(deployment.registryWritable && {
          bind: handle.bind,
          register: handle.register,
          readRegistration: handle.readRegistration,
          updateRegistration: handle.updateRegistration,
          deleteRegistration: handle.deleteRegistration,
        }),
      })
    },
    bindings: () =>
      make(
        deployment.registryWritable ? { bindings: handle.bindings, revokeBinding: handle.revokeBinding } : {},
      ),
    introspection: () => make({ introspect: handle.introspect }),
    revocation: () => make({ revoke: handle.revoke }),
    jwks: () => make({ jwks: handle.jwks }),
    metadata: () => metadataRouter(context, made),
    router() {
      const { router: _, ...each } = all
      return Router(ROUTING).use(Object.values(each).map((makeOne) => makeOne()))
    },
  }
  return all
}

const ROUTING = { caseSensitive: true, strict: true }

/** A router that finds its endpoints below the mount path, wherever it was mounted itself: at the root, or there. */
function mountable(context: HttpContext, routes: Partial<Record<EndpointKey, Handle>>): Router {
  const { mountPath } = context.config
  const inner = Router(ROUTING)
  const before = protection(context)
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
function byPath(routes: Partial<Record<EndpointKey, Handle>>): Map<string, [Routed, ...Routed[]]> {
  const paths = new Map<string, [Routed, ...Routed[]]>()
  for (const [name, handle] of Object.entries(routes) as [EndpointKey, Handle][]) {
    const routed: Routed = [ENDPOINTS[name], handle]
    const there = paths.get(routed[0].path)
    if (there === undefined) paths.set(routed[0].path, [routed])
    else there.push(routed)
  }
  return paths
}

/** A segment that varies is matched, not captured: Express throws where it cannot decode what it has captured. */
function pathPattern(path: string): string | RegExp {
  return path.includes(':') ? new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`) : path
}

function protection(context: HttpContext): RequestHandler[] {
  const site = context.siteOf({ name: 'token', challenges: 'client' })
  return [httpsGuard(context, site), securityHeaders()]
}

function metadataRouter(
  context: HttpContext,
  made: { endpoints: Set<EndpointKey>; grants: Set<GrantType> },
): Router {
  const { issuer, audiences } = context.config.deployment
  const router = Router(ROUTING)
  const before = protection(context)

  function publish(
    path: string,
    name: 'authorization_server_metadata' | 'protected_resource_metadata',
    body: (visit: Visit) => object,
  ) {
    const endpoint = { name, method: 'GET', path, challenges: 'client' } as const
    const headers = { 'Cache-Control': 'public, max-age=300' }
    router
      .route(escapePath(path))
      .all(before)
      .get(serve(context, endpoint, async (visit) => ({ status: 200, body: body(visit), headers })))
      .all(refuseOtherMethods(context, endpoint))
  }

  publish(authorizationServerMetadataPath(issuer), 'authorization_server_metadata', () =>
    authorizationServerMetadata(context, made),
  )
  for (const [path, resources] of byMetadataPath(audiences)) {
    publish(path, 'protected_resource_metadata', ({ req }) =>
      protectedResourceMetadata(context, resourceAt(req, resources)),
    )
  }
  return router.use(errorHandler(context))
}

/** The resources that have metadata, by the path of these: those on different hosts can share one. */
function byMetadataPath(audiences: readonly string[]): Map<string, string[]> {
  const paths = new Map<string, string[]>()
  for (const audience of audiences) {
    const url = resourceMetadataUrl(audience)
    if (url === undefined) continue
    const { pathname } = new URL(url)
    paths.set(pathname, [...(paths.get(pathname) ?? []), audience])
  }
  return paths
}

/** The resource on the host that is asked, else the first: the host only chooses among what is public anyway. */
function resourceAt(req: Request, resources: readonly string[]): string {
  return resources.find((resource) => new URL(resource).host === req.headers.host) ?? resources[0] ?? ''
}

/** Express reads some characters of a path as patterns; here each stands for itself. */
function escapePath(path: string): string {
  return path.replace(/[?*+:(){}[\]!\\]/g, '\\$&')
}
