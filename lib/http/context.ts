import type { Request, Response } from 'express'
import type { BackgroundWork } from '../base/background.js'
import { LOOPBACK_HOSTS } from '../base/network.js'
import { privateNotes } from '../base/private-notes.js'
import type { Parameters, PresentedRequest } from '../base/request.js'
import type { Config } from '../options/options.js'
import type { LimitedEndpoint } from '../options/rate-limits.js'
import type { Deployment, VerifyingDeployment } from '../ports/deployment.js'
import type { Target } from '../possession/target.js'
import { type Compromise, revokeCompromised } from '../redemption/revocation.js'
import { revokeCompromisedToken } from '../registration/management.js'
import type { Expectation } from '../tokens/presentation.js'
import { type Advise, adviser } from './advice.js'
import { readForm } from './body.js'
import { certificateReader } from './client-certificate.js'
import type { Endpoint } from './endpoints.js'
import { limitStores } from './limit-stores.js'
import { type Limiter, limiter, UNLIMITED } from './limits.js'
import type { RefusalSite } from './refusal.js'
import { type TrustedProxies, trustedProxies } from './trusted-proxies.js'
import { type ReadTls, read, scrubRequest } from './wire.js'

/** The part of the configuration that guards need. */
export interface GuardConfig
  extends Pick<Config, 'rateLimits' | 'realm' | 'mtls' | 'isLocal' | 'docsUrl' | 'useCases' | 'events'> {
  /** The scopes that a policy grants, if all policies are known at start. */
  readonly grantableScopes?: readonly string[] | undefined
  readonly deployment: VerifyingDeployment
}

/** The method of `ProvisioningKeys` that makes a guard. */
export type GuardName = 'requireProvisioningKey' | 'redeemProvisioningKey' | 'requireAccessToken'

/** What the options of a guard require of a key or an access token. The request adds the rest of the expectation. */
export interface GuardRequirements extends Omit<Expectation, 'audiences' | 'target' | 'redeems'> {
  readonly audience: string
}

interface RequestNotes {
  presented?: PresentedRequest
  /** The form in its body. */
  form?: Promise<Parameters>
  /** The guard of a key that it has passed. */
  passed?: PassedGuard
}

/** A guard that has accepted a request, and its requirements. */
export interface PassedGuard extends GuardRequirements {
  readonly name: GuardName
}

export interface GuardContext {
  readonly config: GuardConfig
  notes(req: Request): RequestNotes
  /** The request as presented. The first call moves its secrets out of `req`, and later calls find them here. */
  present(req: Request): PresentedRequest
  /** The limiter of an endpoint. All routers that serve the endpoint share it. */
  limiterOf(endpoint: LimitedEndpoint | undefined): Limiter
  /** Sends a nonce to a request with a DPoP proof, if proofs must carry one (RFC 9449 8). */
  offerNonce(res: Response, presented: PresentedRequest): void
  readonly background: BackgroundWork
  /** Revokes the credentials among texts that have come into wrong hands. */
  revokeCompromised(compromise: Compromise): Promise<void>
  /** Warns the operator once about a wrong setup. */
  readonly advise: Advise
  readonly proxies: TrustedProxies
  /** The URL of a path at the origin for mutual TLS, if there is one (RFC 8705 5). */
  aliasOf(path: string): string | undefined
  /** The origin of a URL that clients may use: https, or also http in a local deployment. */
  originOf(url: string): string | undefined
  /** The URL of a resource's metadata: the path of the resource follows the well-known path (RFC 9728 3.1). */
  metadataUrlOf(audience: string | undefined): string | undefined
  /** The site of refusals at an endpoint. Default: at a route of the app. */
  siteOf(endpoint?: Pick<Endpoint, 'name' | 'challenges'>, audience?: string): RefusalSite
}

export interface HttpContext extends GuardContext {
  readonly config: Config
  /** The form in the body. It is read once, even if the request passes several of our routers. */
  form(req: Request, res: Response): Promise<Parameters>
  /** The public URL of a path below the mount path. */
  endpointUrl(path: string): string
  /** What the DPoP proof of a request to an endpoint must be for. */
  targetOf(endpoint: Endpoint): Target
}

export function httpContext(config: Config): HttpContext {
  const shared = guardContext(config)
  const endpointUrl = (path: string) =>
    `${new URL(config.deployment.issuer).origin}${config.mountPath}${path}`
  if (config.isStaging) shared.advise(STAGING_ADVICE, 'EPK_STAGING')
  if (config.losesDevices) shared.advise(CLIENTS_ADVICE, 'EPK_CLIENTS')
  return Object.freeze({
    ...shared,
    config,
    form(req, res) {
      const notes = shared.notes(req)
      notes.form ??= readForm(req, res)
      return notes.form
    },
    endpointUrl,
    targetOf: ({ method, path }) => ({
      method,
      url: endpointUrl(path),
      alias: shared.aliasOf(config.mountPath + path),
    }),
  } satisfies HttpContext)
}

export function guardContext(config: GuardConfig): GuardContext {
  const notes = privateNotes<RequestNotes>(() => ({}))
  const limiters = new Map<LimitedEndpoint, Limiter>()
  const { store, timeoutSeconds } = config.rateLimits
  const limitStore = store && limitStores(store, timeoutSeconds)
  const advise = adviser(config.deployment.emit, config.docsUrl)
  if (config.isLocal) advise(localAdvice(config.deployment.issuer), 'EPK_LOCAL')
  const originOf = originReader(config.isLocal)
  const metadataUrlOf = metadataUrlReader(originOf)
  const proxies = trustedProxies()
  const readClientCertificate = certificateReader(config.mtls, { advise, proxies })
  return Object.freeze({
    config,
    notes,
    present: (req) => present(req, notes(req), readClientCertificate),
    limiterOf(endpoint) {
      if (endpoint === undefined) return UNLIMITED
      const known = limiters.get(endpoint) ?? limiter(config.rateLimits, endpoint, limitStore)
      limiters.set(endpoint, known)
      return known
    },
    offerNonce(res, { dpop }) {
      const { nonces } = config.deployment.dpop
      if (nonces === undefined || dpop.length === 0) return
      res.setHeader('DPoP-Nonce', nonces.current())
      // RFC 9449 8.2: a cached answer would carry an expired nonce.
      res.setHeader('Cache-Control', 'no-store')
    },
    background: config.deployment.background,
    revokeCompromised: (compromise) => revokeAllCompromised(config.deployment, compromise),
    advise,
    proxies,
    aliasOf: (path) => config.mtls.origin && config.mtls.origin + path,
    originOf,
    metadataUrlOf,
    siteOf: (endpoint = APP_ROUTE, audience = config.deployment.audiences[0]) =>
      siteOf(config, endpoint, metadataUrlOf(audience)),
  } satisfies GuardContext)
}

const APP_ROUTE = { name: 'resource', challenges: 'resource' } as const

function siteOf(
  { realm, isLocal, docsUrl, deployment: { emit } }: GuardConfig,
  { name, challenges }: Pick<Endpoint, 'name' | 'challenges'>,
  resourceMetadata: string | undefined,
): RefusalSite {
  return { endpoint: name, challenges, realm, resourceMetadata, explains: isLocal, docsUrl, emit }
}

function present(req: Request, notes: RequestNotes, readTls: ReadTls): PresentedRequest {
  notes.presented ??= scrubRequest(req, read(req, readTls))
  return notes.presented
}

/** Registration access tokens are among the credentials if this process has a client registry. */
function revokeAllCompromised(
  deployment: VerifyingDeployment | Deployment,
  compromise: Compromise,
): Promise<void> {
  if (!('registry' in deployment)) return revokeCompromised(deployment, compromise)
  const revokeOther = (text: string) => revokeCompromisedToken(deployment, text, compromise)
  return revokeCompromised(deployment, compromise, revokeOther)
}

function originReader(isLocal: boolean): GuardContext['originOf'] {
  return (text) => {
    const { protocol, origin, hostname } = new URL(text)
    const isOfThisMachine = isLocal && protocol === 'http:' && LOOPBACK_HOSTS.has(hostname)
    return protocol === 'https:' || isOfThisMachine ? origin : undefined
  }
}

const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource'

function metadataUrlReader(originOf: GuardContext['originOf']): GuardContext['metadataUrlOf'] {
  return (audience) => {
    const origin = audience && originOf(audience)
    if (!audience || !origin) return undefined
    const { pathname, search } = new URL(audience)
    return `${origin}${RESOURCE_METADATA_PATH}${pathname === '/' ? '' : pathname}${search}`
  }
}

const STAGING_ADVICE =
  'The option staging is true, so clients can check their keys at the endpoint preflight without redeeming them. Remove ' +
  'the option in production.'

const CLIENTS_ADVICE =
  'The option clients is an array, so a restart loses all clients that register and all public keys that clients bind. ' +
  'Each of these devices then gets 401 invalid_client until it enrolls again. Store them in a database with clients: ' +
  'keyvClientRegistry(...): see docs/guides/client-database.md in the package.'

function localAdvice(issuer: string): string {
  return (
    `The local deployment ${issuer} accepts plain HTTP from this machine only, and tells every client the reason of a ` +
    'refusal. Elsewhere, use https.'
  )
}
