import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'
import { STRICT_TRANSPORT_SECURITY } from './https.js'
import { isSecure, type TrustedProxies } from './trusted-proxies.js'
import { avoidHiddenClasses } from './wire.js'

const DEFAULTS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  referrerPolicy: { policy: 'no-referrer' },
  strictTransportSecurity: false,
  xFrameOptions: { action: 'deny' },
} satisfies HelmetOptions

/**
 * helmet with settings for an API: no content may be loaded, framed or sniffed, no referrer is sent, nothing is cached.
 *
 * @param overrides options of helmet that replace ours
 */
export function securityHeaders(proxies: TrustedProxies, overrides?: HelmetOptions): RequestHandler {
  const hsts = overrides?.strictTransportSecurity === undefined && overrides?.hsts === undefined
  const setOthers = overrides === undefined ? apiHeaders() : helmetHeaders(overrides)

  return function securityHeaders(req, res, next) {
    avoidHiddenClasses(req, res)
    if (hsts && isSecure(req, proxies)) res.setHeader('Strict-Transport-Security', STRICT_TRANSPORT_SECURITY)
    setOthers(req, res, next)
  }
}

/**
 * The headers of `securityHeaders()`, except `Strict-Transport-Security`. helmet runs only once: to run it for each
 * request takes 3 % of the request.
 */
export function apiHeaders(): RequestHandler {
  const headers: (readonly [name: string, value: string])[] = []
  const recorder = Object.assign(new ServerResponse(new IncomingMessage(new Socket())), {
    setHeader: (name: string, value: unknown) => headers.push([name, String(value)]),
  })
  helmet(DEFAULTS)(recorder.req, recorder as unknown as ServerResponse, () => undefined)

  return (_req, res, next) => {
    // helmet also removes the header that Express adds.
    res.removeHeader('X-Powered-By')
    res.setHeader('Cache-Control', 'no-store')
    for (const [name, value] of headers) res.setHeader(name, value)
    next()
  }
}

/** A directive of the host's policy can be a function of the request, so helmet runs for each request. */
function helmetHeaders(overrides: HelmetOptions): RequestHandler {
  const setHeaders = helmet({ ...DEFAULTS, ...overrides } as HelmetOptions)
  return (req, res, next) => {
    res.setHeader('Cache-Control', 'no-store')
    setHeaders(req, res, next)
  }
}
