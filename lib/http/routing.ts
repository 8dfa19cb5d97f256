import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { ConfigurationError, malformed } from '../base/errors.js'
import type { GuardContext } from './context.js'
import type { Endpoint } from './endpoints.js'
import { httpsGuard } from './https.js'
import { errorHandler } from './middlewares.js'
import { refuse } from './refusal.js'
import { apiHeaders } from './security-headers.js'

/** One endpoint of a table. */
export interface Route {
  /** Below the mount path. Endpoints with different methods can share a path. */
  readonly path: string | RegExp
  readonly endpoint: Endpoint
  readonly handle: RequestHandler
}

/**
 * Finds the handler of a path, compared exactly. Nested Express routers took 14 % of an exchange, and delayed each request
 * to the host's own routes by several turns of the event loop.
 */
export type RouteTable = (path: string) => RequestHandler | undefined

export function routeTable(context: GuardContext, routes: readonly Route[]): RouteTable {
  const exact = new Map<string, RequestHandler>()
  const patterns = new Map<string, readonly [RegExp, RequestHandler]>()
  for (const { path } of routes) {
    // Endpoints that share a path share a handler, so that one does not refuse the methods of another.
    const own = routes.filter((other) => String(other.path) === String(path))
    if (typeof path === 'string') exact.set(path, pathHandler(context, own))
    else patterns.set(path.source, [path, pathHandler(context, own)])
  }
  return (path) => exact.get(path) ?? [...patterns.values()].find(([pattern]) => pattern.test(path))?.[1]
}

/** Answers all methods of one path, over HTTPS only, with the headers of `securityHeaders()`. */
function pathHandler(context: GuardContext, routes: readonly Route[]): RequestHandler {
  const enforceHttps = httpsGuard(context, context.siteOf({ name: 'token', challenges: 'client' }))
  const setHeaders = apiHeaders()
  const handleError = errorHandler(context)
  const byMethod = new Map<string, RequestHandler>(
    routes.map(({ endpoint, handle }) => [endpoint.method, handle]),
  )
  const get = byMethod.get('GET')
  if (get !== undefined) byMethod.set('HEAD', get)
  const refuseMethod = refuseOtherMethods(context, routes)

  function answerPath(req: Request, res: Response, next: NextFunction): void {
    try {
      enforceHttps(req, res, (fault?: unknown) => {
        if (fault !== undefined) return handleError(fault, req, res, next)
        setHeaders(req, res, () => (byMethod.get(req.method) ?? refuseMethod)(req, res, next))
      })
    } catch (error) {
      handleError(error, req, res, next)
    }
  }
  return answerPath
}

/** Refuses methods that no endpoint on a path has (RFC 9110 15.5.6). */
function refuseOtherMethods(context: GuardContext, routes: readonly Route[]): RequestHandler {
  const methods = routes.map(({ endpoint }) => endpoint.method)
  const allowedMethods = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ')
  const [site] = routes.map(({ endpoint }) => context.siteOf(endpoint))
  return function methodNotAllowed(req, res) {
    const error = malformed('method_not_allowed', `The method must be ${allowedMethods}.`, { allowedMethods })
    if (site !== undefined) refuse(res, error, context.present(req), site)
  }
}

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

/**
 * Adds a check to functions that make middlewares: an app can pass such a function to Express without a call, as in
 * `app.use(keys.router)`. Without this check, no request would ever get an answer.
 */
export function refuseUncalled<T extends object>(context: GuardContext, makers: T): T {
  const checked = Object.entries(makers).map(([name, make]) => [
    name,
    (...given: unknown[]) =>
      isCallOfExpress(given) ? refuseMount(context, given[2], faultOf(name)) : make(...given),
  ])
  return Object.fromEntries(checked)
}

/** None of our functions takes three arguments. */
function isCallOfExpress(given: unknown[]): given is [Request, Response, NextFunction] {
  return given.length === 3 && typeof given[2] === 'function'
}

function faultOf(name: string): string {
  const options = /^re(quire|deem)/.test(name) ? "{ scope: 'devices:create' }" : ''
  return `keys.${name}: expected the result of a call, got the function itself. Write keys.${name}(${options})`
}
