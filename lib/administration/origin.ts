import type { Request } from 'express'
import { isLoopbackName } from '../base/network.js'
import { hostOf } from '../http/wire.js'
import { Problem } from './problem.js'

/**
 * Refuses requests that another site has caused in the browser of an operator. It needs no token, because browsers say
 * where a request comes from (W3C Fetch Metadata). A client that is no browser sends neither of the two headers.
 *
 * @throws Problem
 */
export function refuseCrossSite({ headers }: Request): void {
  const site = headers['sec-fetch-site']
  if (site === 'same-origin' || site === 'none') return
  if (site !== undefined) throw CROSS_SITE
  // Older browsers name only the origin, and some proxies remove the other header.
  if (headers.origin !== undefined && hostIn(headers.origin) !== hostOf({ headers })) throw CROSS_SITE
}

const CROSS_SITE = new Problem(
  403,
  'This request comes from another site. Use the page of the administration itself.',
  {
    refusal: 'cross_site',
  },
)

/**
 * Refuses plain HTTP under a name that is not of this machine. A local deployment accepts plain HTTP, but the page of a
 * stranger can give its own name the address of this machine (DNS rebinding).
 *
 * @throws Problem
 */
export function refuseForeignName({ secure, headers }: Request): void {
  if (!secure && !isLoopbackName(hostOf({ headers }))) throw FOREIGN_NAME
}

const FOREIGN_NAME = new Problem(403, 'Over plain HTTP, the host must be localhost, 127.0.0.1 or [::1].', {
  refusal: 'cross_site',
})

function hostIn(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
