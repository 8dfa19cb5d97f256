import type { ErrorRequestHandler } from 'express'
import { ConfigurationError, ProvisioningError } from '../base/errors.js'
import { REDACTED } from '../base/secret.js'
import { bodyRefusal } from './body.js'
import type { GuardContext } from './context.js'
import { httpsGuard } from './https.js'
import { refuse } from './wire.js'

/**
 * Answers our errors, and those of body parsers, as OAuth wants them answered; passes all others on.
 *
 * A `ConfigurationError` is a fault of the app: the console shows it once, and the client learns nothing of it.
 *
 * A body parser's error carries the body, and a key with it: it goes no further than here.
 */
export function errorHandler(context: GuardContext): ErrorRequestHandler {
  const site = context.siteOf({ name: 'resource', challenges: 'resource' })
  const enforceHttps = httpsGuard(context, site)

  return function provisioningErrorHandler(error, req, res, next) {
    const isOurs = error instanceof ProvisioningError || error instanceof ConfigurationError
    const refusal = isOurs ? error : bodyRefusal(error)
    if (refusal === undefined) {
      next(error)
      return
    }
    if (error instanceof ConfigurationError) context.advise(error.message, 'EPK_CONFIGURATION')
    // A parser has taken the body off the request; what is in clear in it is exposed all the same.
    const parsed = isOurs ? undefined : takeBody(error)
    req.body = parsed ?? req.body
    // The answer has begun: all that is left is to end it.
    if (res.headersSent) {
      refuse(res, refusal, context.present(req), site)
      return
    }
    // An error can come before any guard of ours has looked at the connection.
    enforceHttps(req, res, (fault?: unknown) => refuse(res, fault ?? refusal, context.present(req), site))
    if (parsed !== undefined) req.body = {}
  }
}

/** Express 5 keeps every error on the request: what a body parser wrote of the body into its own must not stay there. */
function takeBody(error: { readonly body?: unknown }): unknown {
  const { body } = error
  Object.assign(error, { body: REDACTED, message: 'The body could not be parsed.', stack: REDACTED })
  return body
}
