import type { RequestHandler } from 'express'
import { malformed } from '../base/errors.js'
import type { GuardContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { httpsGuard } from './https.js'
import { refuse } from './refusal.js'
import { securityHeaders } from './security-headers.js'

/** Our routers match paths exactly. */
export const ROUTING = { caseSensitive: true, strict: true }

/** The middlewares before all of our endpoints. */
export function protection(context: GuardContext): RequestHandler[] {
  const site = context.siteOf({ name: 'token', challenges: 'client' })
  return [httpsGuard(context, site), securityHeaders()]
}

/** Refuses methods that no endpoint on the path has (RFC 9110 15.5.6). */
export function refuseOtherMethods(
  context: GuardContext,
  ...[endpoint, ...others]: [Endpoint, ...Endpoint[]]
): RequestHandler {
  const site = context.siteOf(endpoint)
  const methods = [endpoint, ...others].flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : method))
  const allowedMethods = methods.join(', ')
  return function methodNotAllowed(req, res) {
    const error = malformed('method_not_allowed', `The method must be ${allowedMethods}.`, { allowedMethods })
    refuse(res, error, context.present(req), site)
  }
}
