import type { Request, RequestHandler, Response } from 'express'
import type { VerifiedAccessToken } from '../core/access-verification.js'
import type { PresentedCredential } from '../core/confirmation/holding.js'
import type { VerifyingDeployment } from '../core/deployment.js'
import { ConfigurationError, malformed } from '../core/errors.js'
import { requestDigest } from '../core/outcome.js'
import { SCOPE_TOKEN } from '../core/policy.js'
import { extractKey } from '../core/presentation.js'
import type { Redeem } from '../core/redemption.js'
import type { Credential, PresentedRequest } from '../core/request.js'
import type { Expectation, Verified } from '../core/verification.js'
import { describe, faults, isObject } from '../options/faults.js'
import type { GuardContext } from './context.js'
import { holdAnswer } from './held-answer.js'
import { httpsGuard } from './https.js'
import { attachProvisioned } from './provisioned.js'
import { attachProvisioning } from './provisioning.js'
import { breakOffLate, followBody } from './request-body.js'
import { answerAgain } from './whole-answer.js'
import { refuse } from './wire.js'

/** What a guarded route wants of a key, or of an access token. */
export interface RequireOptions {
  /** The scope, or all the scopes, it must carry. Default: whatever is for the audience passes. */
  readonly scope?: string | readonly string[]
  /** The audience it must be for. Must be given where the deployment has several; default: its only one. */
  readonly audience?: string
}

/** Guards of the host's own routes. */
export interface Guards {
  /** Lets a key through and leaves it as it is; its identity is `req.provisioning`. */
  requireProvisioningKey(options?: RequireOptions): RequestHandler
  /** Lets a key through once: what the route answers redeems it or gives it back. */
  redeemProvisioningKey(options?: RequireOptions): RequestHandler
  /** Lets the access token through that a key was redeemed for (RFC 9068 4); its identity is `req.provisioned`. */
  requireAccessToken(options?: RequireOptions): RequestHandler
}

/** A guard: what it is called, what it wants, how that is verified, and how the request goes on. */
interface Plan<V> {
  readonly name: keyof Guards
  readonly endpoint: 'resource' | 'redeem'
  readonly credential: Credential
  readonly verify: (
    presentedAs: PresentedCredential,
    presented: PresentedRequest,
    expected: Expectation,
  ) => Promise<V>
  readonly admit: (visit: AdmittedVisit, verified: V) => void | Promise<void>
}

interface AdmittedVisit {
  readonly req: Request
  readonly res: Response
  readonly next: () => void
  readonly presented: PresentedRequest
  readonly refuseWith: (error: unknown) => void
}

export function guards(context: GuardContext): Guards {
  const { config, useCases } = context
  const { emit } = config.deployment
  const longestBody = longestBodyOf(config.deployment)

  function admitKey({ req, next, presented: { address } }: AdmittedVisit, { key }: Verified): void {
    const { jti: keyId, clientId, subject } = key
    emit('key.verified', { keyId, clientId, subject, address })
    attachProvisioning(req, key)
    next()
  }

  const admitRedeeming = (redeem: Redeem) => async (visit: AdmittedVisit, verified: Verified) => {
    const { req, res, next, presented, refuseWith } = visit
    const { key } = verified
    // A bearer key has no holder who could ask again.
    const isHeld = key.confirmation !== undefined
    const request = isHeld ? requestOf(req, longestBody) : () => undefined
    const at = requestDigest(req.method, req.originalUrl)
    const redemption = await redeem(verified, { action: 'custom', at, address: presented.address, request })
    if (redemption.kind === 'repetition') return answerAgain(res, redemption.outcome)
    if (res.destroyed) return void (await redemption.release())
    const signal = holdAnswer(res, redemption, refuseWith)
    if (isHeld) breakOffLate(req, res, longestBody)
    attachProvisioning(req, key, { signal, redemptionId: redemption.redemptionId })
    next()
  }

  function admitToken(
    { req, next, presented: { address } }: AdmittedVisit,
    token: VerifiedAccessToken,
  ): void {
    const { keyId, keyClientId: clientId, subject, jti: tokenId } = token
    emit('token.verified', { keyId, clientId, subject, tokenId, address })
    attachProvisioned(req, token)
    next()
  }

  const { verify } = useCases
  const ofKeys = { credential: 'provisioning key', verify } as const
  const requireKey = { name: 'requireProvisioningKey', endpoint: 'resource', ...ofKeys } as const
  const redeemKey = { name: 'redeemProvisioningKey', endpoint: 'redeem', ...ofKeys } as const
  const requireToken = {
    name: 'requireAccessToken',
    endpoint: 'resource',
    credential: 'access token',
  } as const
  const verifyToken = { verify: useCases.verifyAccessToken, admit: admitToken }
  return {
    requireProvisioningKey: (options = {}) => guard(context, { ...requireKey, admit: admitKey }, options),
    redeemProvisioningKey(options = {}) {
      if (useCases.redeem === undefined) throw new ConfigurationError([NOTHING_TO_REDEEM_IN])
      return guard(context, { ...redeemKey, admit: admitRedeeming(useCases.redeem) }, options)
    },
    requireAccessToken: (options = {}) => guard(context, { ...requireToken, ...verifyToken }, options),
  }
}

/** How long a body may take, in milliseconds: so much of the lease that its handler has some of it left. */
function longestBodyOf(deployment: VerifyingDeployment): number {
  return 'redemptionLeaseSeconds' in deployment ? deployment.redemptionLeaseSeconds * 750 : 0
}

/** What a request asks for, followed from here on. */
function requestOf(req: Request, longestBody: number): () => Promise<string | undefined> {
  const { method, originalUrl } = req
  const digestBody = followBody(req, longestBody)
  return async () => {
    const body = await digestBody()
    if (body === 'incomplete') throw malformed('body_incomplete', 'The body did not come to its end.')
    return body && requestDigest('custom', method, originalUrl, body)
  }
}

const NOTHING_TO_REDEEM_IN =
  'redeemProvisioningKey: expected a store, got introspection: the issuer can tell how a key stands, but only who shares ' +
  'its store can claim a key so that nobody else gets it'

function guard<V>(context: GuardContext, plan: Plan<V>, options: RequireOptions): RequestHandler {
  const { name, endpoint, credential } = plan
  const { scope, audience } = readOptions(context, name, options)
  const site = { ...context.siteOf({ name: endpoint, challenges: 'resource' }, audience), credential }
  const enforceHttps = httpsGuard(context, site)
  const origin = originOf(audience) ?? originOf(context.config.deployment.issuer)
  const { origin: mtlsOrigin } = context.config.mtls
  const limits = context.limiterOf(endpoint === 'redeem' ? endpoint : undefined)

  async function verify(req: Request, res: Response, presented: PresentedRequest): Promise<V> {
    await limits.byAddress(req, res)
    const path = pathOf(req.originalUrl)
    const alias = mtlsOrigin === undefined ? undefined : `${mtlsOrigin}${path}`
    const target = { method: req.method, url: `${origin}${path}`, alias }
    const count = (jti: string) => limits.byKey(req, res, jti)
    const expected = { audiences: [audience], scope, target, count, redeems: endpoint === 'redeem' }
    return plan.verify(extractKey(presented, credential), presented, expected)
  }

  const admit: RequestHandler = (req, res, next) => {
    const presented = context.present(req)
    context.offerNonce(res, presented)
    const refuseWith = (error: unknown) => refuse(res, error, presented, site)
    verify(req, res, presented)
      .then((verified) => plan.admit({ req, res, next, presented, refuseWith }, verified))
      .catch(refuseWith)
  }
  // A method whose name is computed is named in stack traces by what the host has called.
  const named: Partial<Record<keyof Guards, RequestHandler>> = {
    [name](req: Request, res: Response, next: (error?: unknown) => void) {
      enforceHttps(req, res, (error?: unknown) => (error === undefined ? admit(req, res, next) : next(error)))
    },
  }
  return named[name] as RequestHandler
}

/** Where the outside reaches a resource; the `Host` header is not asked. */
function originOf(uri: string): string | undefined {
  const { protocol, origin } = new URL(uri)
  return protocol === 'https:' ? origin : undefined
}

/** RFC 9112 3.2.2: a request may name its target as a whole URL, whose host is not asked either. */
function pathOf(requestTarget: string): string {
  return requestTarget.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
}

function readOptions(context: GuardContext, caller: keyof Guards, options: unknown) {
  const { audiences, issueAccessToken } = context.config.deployment
  const noted = faults()
  const given: Record<string, unknown> = isObject(options) ? options : {}
  if (!isObject(options)) noted.add(caller, 'an object with scope and audience', describe(options))
  noted.addUnknownNames(caller, given, ['scope', 'audience'])
  const scope = [given.scope ?? []].flat()
  for (const one of scope) {
    const fits = typeof one === 'string' && SCOPE_TOKEN.test(one) && !one.includes('*')
    if (!fits) noted.add(`${caller}.scope`, 'a scope, or a list of scopes', describe(one))
  }
  const audience = given.audience ?? (audiences.length === 1 ? audiences[0] : undefined)
  if (typeof audience !== 'string' || !audiences.includes(audience)) {
    noted.add(`${caller}.audience`, `one of ${audiences.join(', ')}`, describe(audience))
  }
  if (caller === 'requireAccessToken' && issueAccessToken !== undefined) {
    noted.add(caller, FOREIGN_TOKENS, 'one with issueAccessToken')
  }
  noted.throwIfAny()
  return { scope: scope as string[], audience: audience as string }
}

const FOREIGN_TOKENS =
  'a deployment that mints access tokens itself; guard the route by what your authorization server has for it'
