/** What a request is for, as proofs name it: its method and its URL without query and fragment (RFC 9449 4.2). */
export interface Target {
  readonly method: string
  readonly url: string
  /** The same at the origin for mutual TLS, where there is one (RFC 8705 5). */
  readonly alias?: string | undefined
}

/** No user information (RFC 9110 4.2.4), no backslash, which `URL` would take for a slash, nothing beyond ASCII. */
const TARGET = /^https?:\/\/[^/?#\\@]+([/?#][^\\]*)?$/i
const PRINTABLE = /^[\x21-\x7e]+$/

/**
 * The one spelling of a URL (RFC 3986 6.2.2, 6.2.3), without query and fragment, which do not count (RFC 9449 4.3, 9);
 * `undefined` when it is none that a request can be for.
 *
 * `URL` does the case of scheme and host, the default port, dot segments and the empty path; the rest is ours.
 */
export function normalizeTarget(url: string): string | undefined {
  if (!TARGET.test(url) || !PRINTABLE.test(url) || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname.replace(/%[0-9a-f]{2}/gi, normalizeOctet)}`
}

/** RFC 3986 6.2.2.1 and 6.2.2.2: hexadecimal digits in upper case, unreserved characters not encoded at all. */
function normalizeOctet(octet: string): string {
  const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16))
  return /[\w.~-]/.test(character) ? character : octet.toUpperCase()
}
