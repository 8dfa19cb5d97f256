import type { Request, RequestHandler, Response } from 'express'
import { ConfigurationError, malformed } from '../base/errors.js'
import { isLoopback } from '../base/network.js'
import type { GuardContext } from './context.js'
import { collectExposed } from './exposure.js'
import { type RefusalSite, refuse } from './refusal.js'
import { isSecure, type TrustedProxies } from './trusted-proxies.js'
import { avoidHiddenClasses, read, scrubRequest } from './wire.js'

/** One year, because the preload lists of browsers require it (RFC 6797 6.1). */
export const STRICT_TRANSPORT_SECURITY = 'max-age=31536000; includeSubDomains'

/** Accepts requests over HTTPS and refuses all others. Each of our middlewares that reads a request runs it first. */
export function httpsGuard(context: GuardContext, site = context.siteOf()): RequestHandler {
  const isAccepted = httpsRequirement(context, site)
  return function enforceHttps(req, res, next) {
    if (isAccepted(req, res, next)) next()
  }
}

/** Whether a request may go on. If not, it is answered, or `next` gets the error. */
export type HttpsRequirement = (req: Request, res: Response, next: (error: unknown) => void) => boolean

/** The same as `httpsGuard`, for a middleware that does more. */
export function httpsRequirement(
  { advise, background, config, proxies, revokeCompromised }: GuardContext,
  site: RefusalSite,
): HttpsRequirement {
  return function isAccepted(req, res, next) {
    avoidHiddenClasses(req, res)
    const fault = proxies.faultOf(req.app)
    if (fault !== undefined) {
      advise(fault, 'EPK_TRUST_PROXY')
      next(new ConfigurationError([fault]))
      return false
    }
    if (isSecure(req, proxies)) {
      proxies.hasSeenHttps = true
      res.setHeader('Strict-Transport-Security', STRICT_TRANSPORT_SECURITY)
      return true
    }
    if (config.isLocal && isFromThisMachine(req)) return true
    if (isCut(req)) refuse(res, CUT, read(req), site)
    else refuseCleartext(req, res)
    return false
  }

  /** Every cleartext request gets the same bytes. The exposed keys are revoked after the answer was sent. */
  function refuseCleartext(req: Request, res: Response): void {
    const isFromStranger = !proxies.hasSent(req)
    const isForwardedByStranger = isFromStranger && req.headers['x-forwarded-proto'] !== undefined
    if (isForwardedByStranger) advise(UNTRUSTED_PROXY, 'EPK_TRUST_PROXY')
    else if (isFromStranger && isFirstAttempt(req, proxies)) advise(WITHOUT_TLS, 'EPK_TRUST_PROXY')
    const presented = read(req)
    const exposed = collectExposed(req, presented)
    scrubRequest(req, presented)
    const refusal = isForwardedByStranger ? CLEARTEXT.with({ facts: { isForwardedByStranger } }) : CLEARTEXT
    refuse(res, refusal, { ...presented, authorization: [] }, site)
    background.run(async () => revokeCompromised({ how: 'exposed', texts: await exposed, source: presented }))
  }
}

/** Health checks and browsers send no credentials. Once HTTPS works, cleartext is no sign of a wrong setup. */
function isFirstAttempt(req: Request, { hasSeenHttps }: TrustedProxies): boolean {
  return !hasSeenHttps && req.headers.authorization !== undefined && isFromThisMachine(req)
}

const CLEARTEXT = malformed('cleartext', 'HTTPS is required.')

/**
 * Whether a request comes from a process on this machine and through no proxy. Only the address of the connection
 * counts, whatever `trust proxy` says.
 */
export function isFromThisMachine({ socket, headers }: Request): boolean {
  const isForwarded = Object.keys(headers).some(
    (name) => OF_PROXIES.has(name) || name.startsWith('x-forwarded-'),
  )
  return isLoopback(socket.remoteAddress) && !isForwarded
}

/** Headers that only proxies add. A proxy that adds none of them cannot be noticed. */
const OF_PROXIES: ReadonlySet<string> = new Set(['forwarded', 'via', 'x-real-ip'])

const CUT = malformed('body_incomplete', 'The connection is closed.')

/**
 * Whether the connection is closed and the header says that it was HTTPS. A closed connection has no address, so we
 * cannot check whether the proxy is trusted. We then treat nothing as exposed. The address can be gone before
 * `destroyed` is set.
 */
function isCut(req: Request): boolean {
  // HTTP/2 has the scheme in a header of its own. After the end, it does not show whether the connection was encrypted.
  const forwarded = String(req.headers['x-forwarded-proto'] ?? req.headers[':scheme'] ?? '')
  const { destroyed, remoteAddress, localAddress } = req.socket
  // A Unix socket has neither address, and is not closed.
  const isClosed = destroyed || (remoteAddress === undefined && localAddress !== undefined)
  return isClosed && /^\s*https(\s*,\s*https)*\s*$/i.test(forwarded)
}

const UNTRUSTED_PROXY =
  'A cleartext request says X-Forwarded-Proto, but its sender is not a trusted proxy. If TLS ends at a proxy of yours, ' +
  "tell Express so: app.set('trust proxy', 'loopback') for a proxy on this machine, app.set('trust proxy', 1) for one " +
  'proxy elsewhere; and let the proxy overwrite X-Forwarded-Proto.'

const WITHOUT_TLS =
  'A process on this machine sent a cleartext request without X-Forwarded-Proto. If it is a proxy of yours where TLS ends, ' +
  "let it set X-Forwarded-Proto to https, and write app.set('trust proxy', 'loopback'). To develop without TLS, write " +
  "issuer: 'http://localhost:3000', with the port of this app."
