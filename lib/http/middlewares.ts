import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { HelmetOptions } from 'helmet'
import type { GuardContext } from './context.js'
import { errorHandler } from './error-handler.js'
import { httpsGuard } from './https.js'
import { securityHeaders } from './security-headers.js'

/** The middlewares for a whole app. */
export interface Middlewares {
  /** Refuses cleartext requests, and revokes the keys that they exposed. */
  enforceHttps(): RequestHandler
  /** helmet with settings for an API. `overrides` are options of helmet. */
  securityHeaders(overrides?: HelmetOptions): RequestHandler
  /** Answers our errors and the errors of body parsers in the OAuth format. Passes all others on. Mount it last. */
  errorHandler(): ErrorRequestHandler
}

export function middlewares(context: GuardContext): Middlewares {
  const site = context.siteOf({ name: 'resource', challenges: 'resource' })
  return {
    enforceHttps: () => httpsGuard(context, site),
    securityHeaders: (overrides) => securityHeaders(context.proxies, overrides),
    errorHandler: () => errorHandler(context),
  }
}
