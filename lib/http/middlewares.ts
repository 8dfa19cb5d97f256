import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { HelmetOptions } from 'helmet'
import type { GuardContext } from './context.js'
import { errorHandler } from './error-handler.js'
import { httpsGuard } from './https.js'
import { securityHeaders } from './security-headers.js'

/** The middlewares that serve a whole app, whatever its routes. */
export interface Middlewares {
  /** Refuses what did not come over HTTPS, and revokes the keys it exposed. */
  enforceHttps(): RequestHandler
  /** helmet, set for an API; `overrides` are options of helmet. */
  securityHeaders(overrides?: HelmetOptions): RequestHandler
  /** Answers our errors and those of body parsers as OAuth wants them; passes all others on. Mount it last. */
  errorHandler(): ErrorRequestHandler
}

export function middlewares(context: GuardContext): Middlewares {
  const site = context.siteOf({ name: 'resource', challenges: 'resource' })
  return {
    enforceHttps: () => httpsGuard(context, site),
    securityHeaders,
    errorHandler: () => errorHandler(context),
  }
}
