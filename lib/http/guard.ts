import type { Request, RequestHandler, Response } from 'express'
import { refusalOf } from '../base/caught-refusal.js'
import { ConfigurationError, malformed, type ProvisioningError } from '../base/errors.js'
import type { Credential, PresentedRequest } from '../base/request.js'
import { type Observation, observed } from '../monitoring/use-case-recorder.js'
import { pathOf, type Target } from '../possession/target.js'
import { extractKey, type Presentation } from '../tokens/presentation.js'
import { hasBody } from './body.js'
import type { GuardContext, GuardName, GuardRequirements, PassedGuard } from './context.js'
import { type GuardOptions, readGuardOptions } from './guard-options.js'
import { type HttpsRequirement, httpsRequirement } from './https.js'
import type { Limiter } from './limits.js'
import { type RefusalSite, refuse } from './refusal.js'
import { dropUnread, pauseFlow } from './request-body.js'
import { type KeyLimits, unlessReplayed } from './verify-key.js'

/** A kind of guard: what is different between the guards. `V` is a verified credential. */
export interface GuardKind<V> {
  readonly name: GuardName
  readonly credential: Credential
  /** The endpoint in events. A guard of the endpoint `redeem` redeems keys, and has rate limits. */
  readonly endpoint: 'resource' | 'redeem'
  verify(presentation: Presentation, limits: KeyLimits, observation?: Observation): Promise<V>
  /** Hands a request with a valid credential to the route. */
  accept(accepted: AcceptedRequest, verified: V, observation?: Observation): void | Promise<void>
}

export interface AcceptedRequest {
  readonly req: Request
  readonly res: Response
  readonly next: (error?: unknown) => void
  /** Resumes a body that the guard has paused. */
  readonly resumeBody: () => void
  readonly presented: PresentedRequest
  /** Answers with a refusal instead. */
  readonly refuseWith: (error: unknown) => void
}

/**
 * Makes a guard of a route.
 *
 * @throws ConfigurationError with all faults of the options
 */
export function guard<V>(context: GuardContext, kind: GuardKind<V>, options: GuardOptions): RequestHandler {
  const { name } = kind
  const guarded = new Guard(context, kind, readGuardOptions(context, name, options))
  // A computed method name makes stack traces show the name of the guard that the host has called.
  const named: Partial<Record<GuardName, RequestHandler>> = {
    [name](req: Request, res: Response, next: (error?: unknown) => void) {
      guarded.handle(req, res, next)
    },
  }
  return named[name] as RequestHandler
}

class Guard<V> {
  readonly #context: GuardContext
  readonly #kind: GuardKind<V>
  readonly #requirements: GuardRequirements
  readonly #asPassed: PassedGuard
  readonly #site: RefusalSite
  readonly #isSecure: HttpsRequirement
  readonly #limits: Limiter
  /** The public origin of the resource. It does not depend on the header `Host`. */
  readonly #origin: string | undefined

  constructor(context: GuardContext, kind: GuardKind<V>, requirements: GuardRequirements) {
    const { endpoint, credential } = kind
    const { audience } = requirements
    this.#context = context
    this.#kind = kind
    this.#requirements = requirements
    this.#asPassed = { name: kind.name, ...requirements }
    this.#site = { ...context.siteOf({ name: endpoint, challenges: 'resource' }, audience), credential }
    this.#isSecure = httpsRequirement(context, this.#site)
    this.#limits = context.limiterOf(endpoint === 'redeem' ? endpoint : undefined)
    this.#origin = context.originOf(audience) ?? context.originOf(context.config.deployment.issuer)
  }

  handle(req: Request, res: Response, proceed: (error?: unknown) => void): void {
    if (!this.#isSecure(req, res, proceed)) return
    const context = this.#context
    const presented = context.present(req)
    context.offerNonce(res, presented)
    const resumeBody = hasBody(req) ? holdBody(req, res) : NOTHING_TO_RESUME
    const next = (error?: unknown) => {
      resumeBody()
      proceed(error)
    }
    const refuseWith = (error: unknown) => {
      resumeBody()
      refuse(res, error, presented, this.#site)
    }
    const fault = this.#combinationFault(req)
    if (fault !== undefined) {
      context.advise(fault, 'EPK_CONFIGURATION')
      next(new ConfigurationError([fault]))
      return
    }
    const request = { req, res, next, presented, refuseWith, resumeBody }
    const useCases = this.#kind.endpoint === 'redeem' ? context.config.useCases : undefined
    observed(useCases, 'route', (observation) => this.#run(request, observation)).catch(refuseWith)
  }

  async #run(request: AcceptedRequest, observation?: Observation): Promise<void> {
    const { req, res } = request
    const { endpoint, credential } = this.#kind
    // Express answers HEAD by the route of GET. It must not redeem a key for an answer without a body.
    if (endpoint === 'redeem' && req.method === 'HEAD')
      throw malformed('method_not_allowed', 'HEAD cannot redeem a key.', { allowedMethods: 'GET' })
    const counting = this.#limits.byAddress(req, res)
    const refusal = counting && (await refusalOf(() => counting))
    const verified = await unlessReplayed(refusal, () => this.#verify(request, refusal, observation))
    if (credential === 'provisioning key') this.#context.notes(req).passed = this.#asPassed
    await this.#kind.accept(request, verified, observation)
  }

  #verify(
    { req, res, presented }: AcceptedRequest,
    addressRefusal: ProvisioningError | undefined,
    observation: Observation | undefined,
  ): Promise<V> {
    const { endpoint, credential } = this.#kind
    const { audience, ...required } = this.#requirements
    const expected = {
      ...required,
      audiences: [audience],
      target: this.#targetOf(req),
      redeems: endpoint === 'redeem',
    }
    const limits = { addressRefusal, countKey: (jti: string) => this.#limits.byKey(req, res, jti) }
    const presentation = { credential: extractKey(presented, credential), presented, expected }
    return this.#kind.verify(presentation, limits, observation)
  }

  /**
   * The fault of two guards of a key on one route, one of which redeems it. The first would take the retry of a bound
   * client for a replay, or the second would find the key reserved by the first.
   */
  #combinationFault(req: Request): string | undefined {
    const { config, notes } = this.#context
    const guard = this.#asPassed
    const { passed } = notes(req)
    if (passed === undefined) return undefined
    const names = [passed.name, guard.name]
    if (!names.includes('redeemProvisioningKey')) return undefined
    const line = `keys.redeemProvisioningKey({ ${optionsOfBoth(passed, guard, config.deployment.audiences)} })`
    return `${names.join('() and ')}(): expected one guard of the key on this route, got two. Write only ${line}`
  }

  /** The request target that a DPoP proof must name. */
  #targetOf({ method, originalUrl }: Request): Target {
    const path = pathOf(originalUrl)
    return { method, url: `${this.#origin}${path}`, alias: this.#context.aliasOf(path) }
  }
}

/**
 * Holds a body back while the guard verifies, because the route must get all of it. Returns the function that resumes
 * the body.
 */
function holdBody(req: Request, res: Response): () => void {
  dropUnread(req, res)
  return pauseFlow(req)
}

const NOTHING_TO_RESUME = () => undefined

/** The options of the guard that does the work of two. */
function optionsOfBoth(passed: PassedGuard, guard: PassedGuard, audiences: readonly string[]): string {
  const scopes = [...new Set([...passed.scope, ...guard.scope])].map((scope) => `'${scope}'`)
  const scope = scopes.length === 1 ? `scope: ${scopes[0]}` : `scope: [${scopes.join(', ')}]`
  const required = scopes.length === 0 ? 'anyScope: true' : scope
  // The only audience is the default.
  return audiences.length === 1 ? required : `${required}, audience: '${guard.audience}'`
}
