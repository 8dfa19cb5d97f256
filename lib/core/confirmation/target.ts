/** What a request is for, as proofs name it: its method and its URL without query and fragment (RFC 9449 4.2). */
export interface Target {
  readonly method: string
  readonly url: string
  /** The same at the origin for mutual TLS, where there is one (RFC 8705 5). */
  readonly alias?: string | undefined
}

/** Whether two URLs are the same after the normalization of RFC 3986 6.2.2 and 6.2.3; query and fragment do not count. */
export function isSameTarget(a: string, b: string): boolean {
  const [left, right] = [normalize(a), normalize(b)]
  return left !== undefined && left === right
}

/** `URL` does the case of scheme and host, the default port, dot segments and the empty path; the rest is ours. */
function normalize(url: string): string | undefined {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(url) || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname.replace(/%[0-9a-f]{2}/gi, normalizeOctet)}`
}

/** RFC 3986 6.2.2.1 and 6.2.2.2: hexadecimal digits in upper case, unreserved characters not encoded at all. */
function normalizeOctet(octet: string): string {
  const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16))
  return /[\w.~-]/.test(character) ? character : octet.toUpperCase()
}
