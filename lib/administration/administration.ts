import type { Request, RequestHandler } from 'express'
import { isLoopbackName } from '../base/network.js'
import { parse } from '../base/schema.js'
import type { HttpContext } from '../http/context.js'
import { httpsRequirement, isFromThisMachine } from '../http/https.js'
import type { DrainState } from '../http/readiness.js'
import { securityHeaders } from '../http/security-headers.js'
import { hostOf } from '../http/wire.js'
import type { Operations } from '../operations/operations.js'
import { numericDate } from '../ports/deployment.js'
import { operatorFinder } from './access.js'
import { type AdministrationOptions, readAdministrationOptions } from './administration-options.js'
import { EventLog } from './event-log.js'
import { KeyCounter } from './key-counts.js'

/** The API and the page for the people who look after a deployment. */
export interface Administration {
  /**
   * Serves the API for operators below the path where you mount it, and with `page: true` also a page. Mount it at any
   * path, also behind a proxy that rewrites paths.
   *
   * It needs HTTPS. A browser on the same machine may use plain HTTP at `localhost`.
   *
   * @throws ConfigurationError without `authorize`, and for wrong options
   *
   * @example
   * app.use('/admin', keys.administration({ authorize: (req) => isAdministrator(req) && 'operate', page: true }))
   */
  administration(options: AdministrationOptions): RequestHandler
}

/** What the administration needs of the instance that it belongs to. */
interface Parts {
  readonly context: HttpContext
  readonly operations: Operations
  readonly drainState: Readonly<DrainState>
}

export function administration(parts: Parts): Administration {
  return { administration: (options) => administrationHandler(parts, options) }
}

function administrationHandler({ context, ...parts }: Parts, options: AdministrationOptions): RequestHandler {
  const { authorize, page = false } = parse(readAdministrationOptions, options, 'administration')
  const { config, advise } = context
  const { deployment, events } = config
  const counter = new KeyCounter(deployment.store, deployment.now)
  if (page) counter.start()
  const log = new EventLog(events.on)
  const findOperator = operatorFinder(authorize, (fault, detail) =>
    advise(fault, 'EPK_AUTHORIZE', { detail }),
  )
  const startedAt = numericDate(deployment)
  const isHttps = httpsRequirement(context, context.siteOf({ name: 'administration', challenges: 'client' }))
  const setHeaders = securityHeaders(context.proxies)
  // Most processes never serve the administration, so the rest is loaded at the first request.
  let loading: Promise<RequestHandler> | undefined
  const load = async () => {
    const { administrationRouter } = await import('./router.js')
    const shared = { config, ...parts, log, counter, startedAt }
    return administrationRouter(shared, { findOperator, hasPage: page })
  }

  return function serveAdministration(req, res, next) {
    if (!MAY_BE_OURS.test(req.path)) return next()
    if (!isFromBrowserHere(req) && !isHttps(req, res, next)) return
    loading ??= load()
    setHeaders(req, res, () => {
      loading?.then((serve) => serve(req, res, next), next)
    })
  }
}

/** Other paths belong to the host, which may mount the administration at its root. */
const MAY_BE_OURS = /^\/($|openapi\.json$|api\/|assets\/)/

/**
 * Whether a browser or a tool on this machine asks for this machine. The name in `Host` must be one of this machine, too: a
 * page of a stranger can give its own name the address of this machine.
 */
function isFromBrowserHere(req: Request): boolean {
  return isFromThisMachine(req) && isLoopbackName(hostOf(req))
}
