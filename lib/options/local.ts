import { isClusterWorker } from '../base/cluster.js'
import { LOOPBACK_HOSTS } from '../base/network.js'

/**
 * Whether an issuer makes a local deployment: `http` at a name of this machine, with nothing after the port. A local
 * deployment accepts plain HTTP from this machine. Other machines cannot reach a loopback address, so nobody can read
 * or change such a request on its way (RFC 8252 8.3, W3C Secure Contexts 3.1).
 */
export function isLocalIssuer(issuer: unknown): boolean {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : undefined
  const isExact = url !== undefined && [url.origin, `${url.origin}/`].includes(String(issuer))
  return isExact && url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname)
}

/** Whether the process is in production, as Express decides it. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production'
}

/** Why this process must not be a local deployment; `undefined` if it may. */
export function faultOfLocal(): string | undefined {
  if (isProduction()) return 'an http issuer while NODE_ENV is production'
  return isClusterWorker() ? 'an http issuer in a worker of node:cluster' : undefined
}
