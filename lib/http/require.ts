import type { Request, RequestHandler, Response } from 'express'
import { SCOPE_TOKEN } from '../core/policy.js'
import type { VerifiedKey } from '../core/provisioning-key.js'
import type { PresentedRequest } from '../core/request.js'
import { extractKey } from '../core/verification.js'
import { describe, faults, isObject } from '../options/faults.js'
import type { HttpContext } from './context.js'
import { holdAnswer } from './held-answer.js'
import { httpsGuard } from './https.js'
import { attachProvisioning } from './provisioning.js'
import { refuse } from './wire.js'

/** What a guarded route wants of a key. */
export interface RequireOptions {
  /** The scope, or all the scopes, the key must carry. Default: any key for the audience passes. */
  readonly scope?: string | readonly string[]
  /** The audience the key must be for. Must be given where the deployment has several; default: its only one. */
  readonly audience?: string
}

/** Guards of the host's own routes. */
export interface Guards {
  requireProvisioningKey(options?: RequireOptions): RequestHandler
  redeemProvisioningKey(options?: RequireOptions): RequestHandler
}

/** Lets the request go on, once its key is verified. */
type Admit = (visit: AdmittedVisit) => Promise<void>

interface AdmittedVisit {
  readonly req: Request
  readonly res: Response
  readonly next: () => void
  readonly key: VerifiedKey
  readonly presented: PresentedRequest
  readonly refuseWith: (error: unknown) => void
}

export function guards(context: HttpContext): Guards {
  const { config, useCases } = context
  const { emit } = config.deployment

  async function admitVerified({ req, next, key, presented }: AdmittedVisit): Promise<void> {
    const { jti: keyId, clientId, subject } = key
    emit('key.verified', { keyId, clientId, subject, address: presented.address })
    attachProvisioning(req, key)
    next()
  }

  async function admitRedeeming({
    req,
    res,
    next,
    key,
    presented,
    refuseWith,
  }: AdmittedVisit): Promise<void> {
    const claim = await useCases.redeem(key, 'custom', presented.address)
    if (res.destroyed) return claim.release()
    attachProvisioning(req, key, holdAnswer(res, claim, refuseWith))
    next()
  }

  return {
    requireProvisioningKey: (options = {}) => guard(context, 'resource', options, admitVerified),
    redeemProvisioningKey: (options = {}) => guard(context, 'redeem', options, admitRedeeming),
  }
}

function guard(
  context: HttpContext,
  name: 'resource' | 'redeem',
  options: RequireOptions,
  admit: Admit,
): RequestHandler {
  const { scope, audience } = readOptions(context, name, options)
  const site = context.siteOf({ name, challenges: 'resource' }, audience)
  const enforceHttps = httpsGuard(context, site)
  const origin = originOf(audience) ?? originOf(context.config.deployment.issuer)
  const limits = context.limiterOf(name === 'redeem' ? 'redeem' : undefined)

  async function verify(req: Request, res: Response, presented: PresentedRequest): Promise<VerifiedKey> {
    await limits.byAddress(req, res)
    const target = { method: req.method, url: `${origin}${pathOf(req.originalUrl)}` }
    const count = (jti: string) => limits.byKey(req, res, jti)
    const expected = { audiences: [audience], scope, target, count }
    return (await context.useCases.verify(extractKey(presented), presented, expected)).key
  }

  const verifyKey: RequestHandler = (req, res, next) => {
    const presented = context.present(req)
    context.offerNonce(res, presented)
    const refuseWith = (error: unknown) => refuse(res, error, presented, site)
    verify(req, res, presented)
      .then((key) => admit({ req, res, next, key, presented, refuseWith }))
      .catch(refuseWith)
  }
  const named: Record<typeof name, RequestHandler> = {
    resource: function requireProvisioningKey(req, res, next) {
      enforceHttps(req, res, (error?: unknown) =>
        error === undefined ? verifyKey(req, res, next) : next(error),
      )
    },
    redeem: function redeemProvisioningKey(req, res, next) {
      enforceHttps(req, res, (error?: unknown) =>
        error === undefined ? verifyKey(req, res, next) : next(error),
      )
    },
  }
  return named[name]
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

function readOptions(context: HttpContext, name: string, options: unknown) {
  const { audiences } = context.config.deployment
  const caller = name === 'redeem' ? 'redeemProvisioningKey' : 'requireProvisioningKey'
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
  noted.throwIfAny()
  return { scope: scope as string[], audience: audience as string }
}
