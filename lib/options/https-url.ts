import { LOOPBACK_HOSTS } from '../base/network.js'

/** Parses an https URL without credentials and fragment. `undefined`: it is not one. */
export function httpsUrl(value: unknown): URL | undefined {
  return secureUrl(value, ({ protocol }) => protocol === 'https:')
}

/** The same, and http URLs of this machine. For local deployments. */
export function localUrl(value: unknown): URL | undefined {
  return secureUrl(value, ({ protocol, hostname }) => {
    return protocol === 'https:' || (protocol === 'http:' && LOOPBACK_HOSTS.has(hostname))
  })
}

function secureUrl(value: unknown, isSecure: (url: URL) => boolean): URL | undefined {
  const text = value instanceof URL ? value.href : value
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.username === '' && url.password === '' && !url.href.includes('#')
  return isPlain && isSecure(url) ? url : undefined
}
