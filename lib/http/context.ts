import type { Request, Response } from 'express'
import type { Parameters, PresentedRequest } from '../core/request.js'
import type { UseCases } from '../core/use-cases.js'
import type { Config } from '../options.js'
import { adviser } from './advice.js'
import { readForm } from './body.js'
import { certificateReader } from './client-certificate.js'
import type { Endpoint } from './endpoints.js'
import { type Limiter, limiter, UNLIMITED } from './limits.js'
import type { LimitedEndpoint } from './rate-limit-options.js'
import { type RefusalSite, read, scrubRequest } from './wire.js'

/** What the middlewares of one instance share. */
export interface HttpContext {
  readonly config: Config
  readonly useCases: UseCases
  /** The request as presented. What was secret in it is taken out of `req` at the first call, and remembered here. */
  present(req: Request): PresentedRequest
  /** The form in the body, read once however many of our routers the request passes. */
  form(req: Request, res: Response): Promise<Parameters>
  /** The limiter of an endpoint: one, however many routers serve that. */
  limiterOf(endpoint: LimitedEndpoint | undefined): Limiter
  /** The public URL of a path below the mount path. */
  endpointUrl(path: string): string
  /** The same at the origin for mutual TLS, where there is one (RFC 8705 5). */
  endpointAlias(path: string): string | undefined
  /** Hands out a nonce to a request with a DPoP proof, where proofs must carry one (RFC 9449 8). */
  offerNonce(res: Response, presented: PresentedRequest): void
  /** Tells the operator, once, of something that is set up wrongly. */
  advise(advice: string, code?: string): void
  siteOf(endpoint: Pick<Endpoint, 'name' | 'challenges'>, audience?: string): RefusalSite
}

export function httpContext(config: Config, useCases: UseCases): HttpContext {
  const presented = new WeakMap<Request, PresentedRequest>()
  const forms = new WeakMap<Request, Promise<Parameters>>()
  const limiters = new Map<LimitedEndpoint, Limiter>()
  const advise = adviser(config.deployment.emit)
  const readClientCertificate = certificateReader(config.mtls, advise)
  const { origin: mtlsOrigin } = config.mtls
  return Object.freeze({
    config,
    useCases,
    present: (req) =>
      remember(presented, req, () => scrubRequest(req, read(req, readClientCertificate(req)))),
    form: (req, res) => remember(forms, req, () => readForm(req, res)),
    limiterOf: (endpoint) => {
      if (endpoint === undefined) return UNLIMITED
      return remember(limiters, endpoint, () => limiter(config.rateLimits, endpoint))
    },
    offerNonce(res, { dpop }) {
      const { nonces } = config.deployment.dpop
      if (nonces === undefined || dpop.length === 0) return
      res.setHeader('DPoP-Nonce', nonces.current())
      // RFC 9449 8.2: an answer out of a cache would bring a nonce that is over.
      res.setHeader('Cache-Control', 'no-store')
    },
    advise,
    endpointUrl: (path) => `${new URL(config.deployment.issuer).origin}${config.mountPath}${path}`,
    endpointAlias: (path) =>
      mtlsOrigin === undefined ? undefined : `${mtlsOrigin}${config.mountPath}${path}`,
    siteOf: ({ name, challenges }, audience = config.deployment.audiences[0]) => ({
      endpoint: name,
      challenges,
      realm: config.realm,
      resourceMetadata: audience === undefined ? undefined : resourceMetadataUrl(audience),
      emit: config.deployment.emit,
    }),
  } satisfies HttpContext)
}

function remember<K extends object | string, V>(
  memory: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  const known = memory.get(key)
  if (known !== undefined) return known
  const made = make()
  memory.set(key, made)
  return made
}

const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource'

/** Where the metadata of a resource are: its path is inserted after the well-known one (RFC 9728 3.1). */
export function resourceMetadataUrl(audience: string): string | undefined {
  const { protocol, origin, pathname, search } = new URL(audience)
  if (protocol !== 'https:') return undefined
  return `${origin}${RESOURCE_METADATA_PATH}${pathname === '/' ? '' : pathname}${search}`
}
