import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { HelmetOptions } from 'helmet'
import { ConfigurationError, ProvisioningError } from '../base/errors.js'
import { REDACTED } from '../base/secret.js'
import { bodyRefusal } from './body.js'
import type { GuardContext } from './context.js'
import { httpsGuard } from './https.js'
import { refuse } from './refusal.js'
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
  return {
    enforceHttps: () => httpsGuard(context),
    securityHeaders: (overrides) => securityHeaders(context.proxies, overrides),
    errorHandler: () => errorHandler(context),
  }
}

/**
 * Answers our errors and the errors of body parsers in the OAuth format. Passes all other errors on.
 *
 * A `ConfigurationError` is a fault of the app. The console shows it once, and the client gets no details.
 *
 * The error of a body parser carries the body, and the key in it. So no later handler gets this error.
 */
export function errorHandler(context: GuardContext): ErrorRequestHandler {
  const site = context.siteOf()
  const enforceHttps = httpsGuard(context, site)

  return function provisioningErrorHandler(error, req, res, next) {
    const isOurs = error instanceof ProvisioningError || error instanceof ConfigurationError
    const refusal = isOurs ? error : bodyRefusal(error)
    if (refusal === undefined) {
      next(error)
      return
    }
    if (error instanceof ConfigurationError) context.advise(error.message, 'EPK_CONFIGURATION')
    // The parser moved the body from the request to the error. Keys in a cleartext body are exposed nevertheless.
    const parsed = isOurs ? undefined : takeBody(error)
    req.body = parsed ?? req.body
    // The answer has begun, so only the connection can be closed.
    if (res.headersSent) {
      refuse(res, refusal, context.present(req), site)
      return
    }
    // The error may come before any of our guards has checked the connection.
    enforceHttps(req, res, (fault?: unknown) => refuse(res, fault ?? refusal, context.present(req), site))
    if (parsed !== undefined) req.body = {}
  }
}

/** Express 5 keeps every error on the request, so the body must be removed from the error of a parser. */
function takeBody(error: { readonly body?: unknown }): unknown {
  const { body } = error
  Object.assign(error, { body: REDACTED, message: 'The body could not be parsed.', stack: REDACTED })
  return body
}
