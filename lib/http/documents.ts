import { type Request, type RequestHandler, Router } from 'express'
import { refuseTokenInQuery, refuseUnreadableCertificate } from '../tokens/presentation.js'
import { type GuardContext, resourceMetadataUrl } from './context.js'
import type { Endpoint } from './endpoints.js'
import { errorHandler } from './error-handler.js'
import { protectedResourceMetadata } from './metadata.js'
import { protection, ROUTING, refuseOtherMethods } from './routing.js'
import { answer, refuse } from './wire.js'

/** A document about the server that anybody may read and cache. */
export interface PublicDocument {
  readonly path: string
  readonly name: 'authorization_server_metadata' | 'protected_resource_metadata'
  readonly body: (req: Request) => object
}

/** What an API publishes about itself. */
export interface ResourceMetadata {
  /** The metadata that challenges point to (RFC 9728). Only at the root of the app: the RFC says where they are. */
  metadata(): Router
}

export function resourceMetadata(context: GuardContext): ResourceMetadata {
  return { metadata: () => documentRouter(context, resourceDocuments(context)) }
}

/** Makes the router that serves documents, for the root of an app. */
export function documentRouter(context: GuardContext, documents: readonly PublicDocument[]): Router {
  const router = Router(ROUTING)
  const before = protection(context)
  for (const { path, name, body } of documents) {
    const endpoint = { name, method: 'GET', path, challenges: 'client' } as const
    router
      .route(escapePath(path))
      .all(before)
      .get(serveDocument(context, endpoint, body))
      .all(refuseOtherMethods(context, endpoint))
  }
  return router.use(errorHandler(context))
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
      refuseTokenInQuery(presented)
      refuseUnreadableCertificate(presented)
      answer(res, { status: 200, body: body(req), headers })
    } catch (error) {
      refuse(res, error, presented, site)
    }
  }
}

/**
 * The metadata of the audiences that have any.
 *
 * @param scopes those that can be granted, as far as they are known
 */
export function resourceDocuments(context: GuardContext, scopes: readonly string[] = []): PublicDocument[] {
  return [...byMetadataPath(context.config.deployment.audiences)].map(([path, resources]) => ({
    path,
    name: 'protected_resource_metadata',
    body: (req) => protectedResourceMetadata(context, resourceAt(req, resources), scopes),
  }))
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
