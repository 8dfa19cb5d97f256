import type { Request, RequestHandler } from 'express'
import { refuseUnclear } from '../tokens/presentation.js'
import type { GuardContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { protectedResourceMetadata } from './metadata.js'
import { refuse } from './refusal.js'
import { refuseMount, routeTable } from './routing.js'
import { answer } from './wire.js'

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
  return resources.find((resource) => new URL(resource).host === req.headers.host) ?? resources[0] ?? ''
}
