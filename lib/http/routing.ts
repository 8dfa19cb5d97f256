import type { NextFunction, RequestHandler } from 'express'
import { ConfigurationError, malformed } from '../base/errors.js'
import type { GuardContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { httpsGuard } from './https.js'
import { refuse } from './refusal.js'
import { securityHeaders } from './security-headers.js'

/** Our routers match paths exactly. */
export const ROUTING = { caseSensitive: true, strict: true }

/**
 * The part of the mount path that is still to come below the path where a router is mounted: '' at the mount path
 * itself. `undefined` if that path contradicts the mount path.
 */
export function restOfMountPath(mountPath: string, baseUrl: string): string | undefined {
  // Express ignores case in the path of app.use(), so a client can write it as it likes.
  const isBelow = mountPath.toLowerCase().startsWith(baseUrl.toLowerCase())
  const rest = mountPath.slice(baseUrl.length)
  return isBelow && (rest === '' || rest.startsWith('/')) ? rest : undefined
}

/** Reports a router that is mounted at a wrong path. Each request that reaches it gets 500. */
export function refuseMount({ advise }: GuardContext, next: NextFunction, fault: string): void {
  advise(fault, 'EPK_MOUNT')
  next(new ConfigurationError([fault]))
}

/** The middlewares before all of our endpoints. */
export function protection(context: GuardContext): RequestHandler[] {
  const site = context.siteOf({ name: 'token', challenges: 'client' })
  return [httpsGuard(context, site), securityHeaders()]
}

/** Refuses methods that no endpoint on the path of `endpoint` has (RFC 9110 15.5.6). */
export function refuseOtherMethods(
  context: GuardContext,
  endpoint: Endpoint,
  methods: readonly Endpoint['method'][] = [endpoint.method],
): RequestHandler {
  const site = context.siteOf(endpoint)
  const allowedMethods = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ')
  return function methodNotAllowed(req, res) {
    const error = malformed('method_not_allowed', `The method must be ${allowedMethods}.`, { allowedMethods })
    refuse(res, error, context.present(req), site)
  }
}
