/** The method and the URL of a request, which a DPoP proof must name (RFC 9449 4.2). */
export interface Target {
  readonly method: string
  readonly url: string
  /** The URL at the origin for mutual TLS, if there is one (RFC 8705 5). */
  readonly alias?: string | undefined
}

/** No user information (RFC 9110 4.2.4), and no backslash, which `URL` would treat as a slash. */
const TARGET = /^https?:\/\/[^/?#\\@]+([/?#][^\\]*)?$/i
const PRINTABLE = /^[\x21-\x7e]+$/

/**
 * Normalizes a URL (RFC 3986 6.2.2, 6.2.3), and removes the query and fragment, which proofs ignore (RFC 9449 4.3, 9).
 * `undefined`: it is not the URL of a request.
 *
 * `URL` normalizes the case of scheme and host, the default port, dot segments and the empty path. It leaves percent
 * encoding as it is.
 */
export function normalizeTarget(url: string): string | undefined {
  if (!TARGET.test(url) || !PRINTABLE.test(url) || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname.replace(/%[0-9a-f]{2}/gi, normalizeOctet)}`
}

/**
 * Whether a request names a path with dot segments. Express does not remove them, so another route can serve such a request
 * than the route of the normalized URL. A proof for that route must not fit.
 */
export function hasDotSegments(url: string): boolean {
  return /^[^?#]*\/(\.|%2e){1,2}(?=[/?#]|$)/i.test(url)
}

/** Hexadecimal digits in upper case, and unreserved characters without encoding (RFC 3986 6.2.2.1, 6.2.2.2). */
function normalizeOctet(octet: string): string {
  const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16))
  return /[\w.~-]/.test(character) ? character : octet.toUpperCase()
}

/** RFC 9112 3.2.2: a request may name its target as a whole URL. The host in it is ignored too. */
export function pathOf(requestTarget: string): string {
  return requestTarget.startsWith('/')
    ? requestTarget
    : requestTarget.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
}
