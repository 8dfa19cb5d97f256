import type { Request, RequestHandler, Response } from 'express'
import { ConfigurationError, malformed } from '../base/errors.js'
import { describe, faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { Credential, PresentedRequest } from '../base/request.js'
import { SCOPE_TOKEN } from '../clients/policy.js'
import type { AcceptedToken } from '../tokens/access-verification.js'
import { extractKey } from '../tokens/presentation.js'
import { attachAccessToken } from './access-token.js'
import type { GuardContext } from './context.js'
import type { AdmittedVisit, GuardOptions, Guards } from './guards.js'
import { httpsGuard } from './https.js'
import {
  type Counted,
  type KeyLimits,
  type KeyRequest,
  refusalOf,
  unlessReplayed,
  verifyCounted,
} from './key-limits.js'
import { attachProvisioning } from './provisioning.js'
import { redeemingAdmission } from './redeeming.js'
import type { RedemptionHandler } from './redemption-answer.js'
import { bodyReceiver, checkAtEnd, dropUnread, isGone, pauseFlow } from './request-body.js'
import { refuse } from './wire.js'

/** The differences between the guards. */
interface Plan<V> {
  readonly name: keyof Guards
  readonly endpoint: 'resource' | 'redeem'
  readonly credential: Credential
  readonly verify: (request: KeyRequest, limits: KeyLimits) => Promise<V>
  readonly admit: (visit: AdmittedVisit, verified: V) => void | Promise<void>
}

/** A key guard that has accepted a request. */
interface EarlierGuard extends ReadOptions {
  readonly name: keyof Guards
}

export function guards(context: GuardContext): Guards {
  const { config, useCases } = context
  const earlier = new WeakMap<Request, EarlierGuard>()
  const receiveBody = bodyReceiver()
  const { emit } = config.deployment

  function admitKey(visit: AdmittedVisit, { verified: { key, recheck } }: Counted): void {
    const { req, res, next, presented, refuseWith } = visit
    if (isGone(req, res)) return
    const { jti: keyId, clientId, subject } = key
    emit('key.verified', { keyId, clientId, subject, address: presented.address })
    attachProvisioning(req, key)
    checkAtEnd(req, res, recheck, refuseWith)
    next()
  }

  function admitToken(visit: AdmittedVisit, { token, recheck }: AcceptedToken): void {
    const { req, res, next, presented, refuseWith } = visit
    if (isGone(req, res)) return
    const { keyId, keyClientId: clientId, subject, jti: tokenId } = token
    emit('token.verified', { keyId, clientId, subject, tokenId, address: presented.address })
    attachAccessToken(req, token)
    checkAtEnd(req, res, recheck, refuseWith)
    next()
  }

  const verify = (request: KeyRequest, limits: KeyLimits) => verifyCounted(useCases, limits, request)
  const ofKeys = { credential: 'provisioning key', verify } as const
  const requireKey = { name: 'requireProvisioningKey', endpoint: 'resource', ...ofKeys } as const
  const redeemKey = { name: 'redeemProvisioningKey', endpoint: 'redeem', ...ofKeys } as const
  const requireToken = {
    name: 'requireAccessToken',
    endpoint: 'resource',
    credential: 'access token',
    verify: ({ presentedKey, presented, expected }: KeyRequest) =>
      useCases.verifyAccessToken(presentedKey, presented, expected),
  } as const
  return {
    requireProvisioningKey: (options = {}) =>
      guard({ ...context, earlier }, { ...requireKey, admit: admitKey }, options),
    redeemProvisioningKey(options: GuardOptions = {}, ...handlers: RedemptionHandler[]) {
      const { deployment } = config
      if (useCases.redeem === undefined || 'askIssuer' in deployment)
        throw new ConfigurationError([NOTHING_TO_REDEEM_IN])
      const handler = readHandler(options, handlers)
      const admit = redeemingAdmission(deployment, { redeem: useCases.redeem, receiveBody, handler })
      return guard({ ...context, earlier }, { ...redeemKey, admit }, options)
    },
    requireAccessToken: (options = {}) =>
      guard({ ...context, earlier }, { ...requireToken, admit: admitToken }, options),
  }
}

const NOTHING_TO_REDEEM_IN =
  'redeemProvisioningKey: expected a store, got introspection: the issuer can tell how a key stands, but only who shares ' +
  'its store can claim a key so that nobody else gets it'

/** @throws ConfigurationError when the handler is not a function, or stands where the options belong */
function readHandler(options: unknown, handlers: readonly unknown[]): RedemptionHandler | undefined {
  const [handler] = handlers
  if (handlers.length === 0 && typeof options !== 'function') return undefined
  if (handlers.length === 1 && typeof handler === 'function') return handler as RedemptionHandler
  const got = describe(typeof options === 'function' ? options : handler)
  throw new ConfigurationError([
    `redeemProvisioningKey: expected (options, async (req, provisioning) => ({ status, body })), got ${got}`,
  ])
}

/** The context of the guards of one instance, and the key guards that a request has passed. */
interface SharedContext extends GuardContext {
  readonly earlier: WeakMap<Request, EarlierGuard>
}

function guard<V>(context: SharedContext, plan: Plan<V>, options: GuardOptions): RequestHandler {
  const { name, endpoint, credential } = plan
  const read = readOptions(context, name, options)
  const { scope, audience } = read
  const site = { ...context.siteOf({ name: endpoint, challenges: 'resource' }, audience), credential }
  const enforceHttps = httpsGuard(context, site)
  const origin = originOf(audience) ?? originOf(context.config.deployment.issuer)
  const { origin: mtlsOrigin } = context.config.mtls
  const limits = context.limiterOf(endpoint === 'redeem' ? endpoint : undefined)

  async function verify(req: Request, res: Response, presented: PresentedRequest): Promise<V> {
    const addressRefusal = await refusalOf(() => limits.byAddress(req, res))
    const path = pathOf(req.originalUrl)
    const alias = mtlsOrigin === undefined ? undefined : `${mtlsOrigin}${path}`
    const target = { method: req.method, url: `${origin}${path}`, alias }
    const expected = { audiences: [audience], scope, target, redeems: endpoint === 'redeem' }
    const keyLimits = { addressRefusal, countKey: (jti: string) => limits.byKey(req, res, jti) }
    return unlessReplayed(addressRefusal, () =>
      plan.verify({ presentedKey: extractKey(presented, credential), presented, expected }, keyLimits),
    )
  }

  const admit: RequestHandler = (req, res, proceed) => {
    const presented = context.present(req)
    context.offerNonce(res, presented)
    const goOn = pauseFlow(req)
    dropUnread(req, res)
    const next = (error?: unknown) => {
      goOn()
      proceed(error)
    }
    const refuseWith = (error: unknown) => {
      goOn()
      refuse(res, error, presented, site)
    }
    // Express answers HEAD by the route of GET. It must not redeem a key for an answer without a body.
    if (endpoint === 'redeem' && req.method === 'HEAD') {
      refuseWith(malformed('method_not_allowed', 'HEAD cannot redeem a key.', { allowedMethods: 'GET' }))
      return
    }
    const fault = combinationFault({ name, ...read }, context.earlier.get(req))
    if (fault !== undefined) {
      context.advise(fault)
      next(new ConfigurationError([fault]))
      return
    }
    verify(req, res, presented)
      .then((verified) => {
        if (credential === 'provisioning key') context.earlier.set(req, { name, ...read })
        return plan.admit({ req, res, next, presented, refuseWith, resumeBody: goOn }, verified)
      })
      .catch(refuseWith)
  }
  // A computed method name makes stack traces show the name of the guard that the host has called.
  const named: Partial<Record<keyof Guards, RequestHandler>> = {
    [name](req: Request, res: Response, next: (error?: unknown) => void) {
      enforceHttps(req, res, (error?: unknown) => (error === undefined ? admit(req, res, next) : next(error)))
    },
  }
  return named[name] as RequestHandler
}

/**
 * The fault of two guards of a key on one route, one of which redeems it. The first would take the retry of a bound
 * client for a replay, or the second would find the key reserved by the first.
 */
function combinationFault(guard: EarlierGuard, earlier: EarlierGuard | undefined): string | undefined {
  const names = [earlier?.name, guard.name]
  if (earlier === undefined || !names.includes('redeemProvisioningKey')) return undefined
  const scopes = [...new Set([...earlier.scope, ...guard.scope])].map((scope) => `'${scope}'`)
  const scope = scopes.length === 1 ? scopes[0] : `[${scopes.join(', ')}]`
  const line = `keys.redeemProvisioningKey({ scope: ${scope}, audience: '${guard.audience}' })`
  return `${names.join('() and ')}(): expected one guard of the key on this route, got two. Write only ${line}`
}

/** The public origin of a resource. It does not depend on the `Host` header. */
function originOf(uri: string): string | undefined {
  const { protocol, origin } = new URL(uri)
  return protocol === 'https:' ? origin : undefined
}

/** RFC 9112 3.2.2: a request may name its target as a whole URL. The host in it is ignored too. */
function pathOf(requestTarget: string): string {
  return requestTarget.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
}

/** The options of a guard, complete. */
interface ReadOptions {
  readonly scope: readonly string[]
  readonly audience: string
}

function readOptions(context: GuardContext, caller: keyof Guards, options: unknown): ReadOptions {
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
