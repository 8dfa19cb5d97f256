import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Request, RequestHandler } from 'express'

/** Who may use the pages of the demo. */
export interface Access {
  /** Refuses requests for other hosts, and requests without the cookie. Exchanges the token in a link for the cookie. */
  readonly require: RequestHandler
  /** Refuses requests that change something, if another website may have caused them. */
  readonly requireSameOrigin: RequestHandler
  /** Adds the token to a URL. */
  link(url: string): string
}

/**
 * Websites can send requests to this machine, so an address of this machine proves nothing. A request needs a host name of
 * this machine, because a website can let its own name point to it (DNS rebinding). It also needs a token that only the
 * terminal of the demo shows.
 *
 * @param port the port of the pages
 */
export function access(port: number): Access {
  const hosts = new Set(['localhost', '127.0.0.1', '[::1]'].map((name) => hostOf(name, port)))
  const [token, session] = [newSecret(), newSecret()]
  // Cookies do not depend on the port, and two demos may run.
  const cookie = `demo_story_${port}`
  return {
    link: (url) => `${url}?token=${token}`,

    require(req, res, next) {
      const { token: given } = req.query
      if (!hosts.has(req.headers.host ?? '')) return refuse(res, WRONG_HOST)
      if (typeof given === 'string' && isEqual(given, token) && req.method === 'GET') {
        res.cookie(cookie, session, { httpOnly: true, sameSite: 'strict', path: '/' })
        // The address bar, the history and the Referer header do not keep the token.
        return res.redirect(303, req.originalUrl.replace(/\?.*$/s, ''))
      }
      if (!isEqual(cookieOf(req, cookie), session)) return refuse(res, NO_COOKIE)
      next()
    },

    requireSameOrigin(req, res, next) {
      if (req.method === 'GET' || req.method === 'HEAD' || isSameOrigin(req)) next()
      else refuse(res, CROSS_SITE)
    },
  }
}

const WRONG_HOST = 'Use the link that the demo has printed in its terminal.'
const NO_COOKIE =
  'Open the link that the demo has printed in its terminal, in a browser that accepts cookies. It contains a token.'
const CROSS_SITE = 'Only the pages of the demo may send this request.'

function refuse(res: Parameters<RequestHandler>[1], text: string): void {
  res.status(403).type('text/plain').send(`${text}\n`)
}

/** The port of plain HTTP is not part of the Host header (RFC 9110 7.2). */
function hostOf(name: string, port: number): string {
  return new URL(`http://${name}:${port}`).host
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function cookieOf(req: Request, name: string): string {
  const cookies = (req.headers.cookie ?? '').split('; ')
  return cookies.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
}

/** Browsers that do not send Sec-Fetch-Site send Origin with each POST. */
function isSameOrigin({ headers }: Request): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined ? headers.origin === `http://${headers.host}` : site === 'same-origin'
}
