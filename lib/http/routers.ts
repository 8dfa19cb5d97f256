import { Router } from 'express'
import type { GrantType } from '../clients/client-metadata.js'
import type { HttpContext } from './context.js'
import { documentRouter, resourceDocuments } from './documents.js'
import { ENDPOINTS, type Endpoint, type EndpointKey } from './endpoints.js'
import { errorHandler } from './error-handler.js'
import { handlers } from './handlers.js'
import { authorizationServerMetadata, authorizationServerMetadataPath } from './metadata.js'
import { protection, ROUTING, refuseOtherMethods } from './routing.js'
import { type Handle, serve } from './serve.js'

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

/** A router that serves its endpoints below the mount path. You can mount it at the root or at the mount path. */
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

/** A variable segment is matched but not captured, because Express throws if it cannot decode a capture. */
function pathPattern(path: string): string | RegExp {
  return path.includes(':') ? new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`) : path
}

function metadataRouter(
  context: HttpContext,
  made: { endpoints: Set<EndpointKey>; grants: Set<GrantType> },
): Router {
  const { deployment, knownScopes } = context.config
  return documentRouter(context, [
    {
      path: authorizationServerMetadataPath(deployment.issuer),
      name: 'authorization_server_metadata',
      body: () => authorizationServerMetadata(context, made),
    },
    ...resourceDocuments(context, knownScopes),
  ])
}
