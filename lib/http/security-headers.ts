import type { RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'
import { STRICT_TRANSPORT_SECURITY } from './https.js'

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
export function securityHeaders(overrides: HelmetOptions = {}): RequestHandler {
  const setHelmetHeaders = helmet({ ...DEFAULTS, ...overrides } as HelmetOptions)
  const hsts = overrides.strictTransportSecurity === undefined && overrides.hsts === undefined

  return function securityHeaders(req, res, next) {
    if (hsts && req.secure) res.setHeader('Strict-Transport-Security', STRICT_TRANSPORT_SECURITY)
    res.setHeader('Cache-Control', 'no-store')
    setHelmetHeaders(req, res, next)
  }
}
