import type { RequestHandler } from 'express'
import type { GuardContext } from './context.js'
import { httpsGuard } from './https.js'
import { securityHeaders } from './security-headers.js'

/** How our routers read paths: exactly. */
export const ROUTING = { caseSensitive: true, strict: true }

/** What stands before everything that we serve ourselves. */
export function protection(context: GuardContext): RequestHandler[] {
  const site = context.siteOf({ name: 'token', challenges: 'client' })
  return [httpsGuard(context, site), securityHeaders()]
}
