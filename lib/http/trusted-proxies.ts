import type { Socket } from 'node:net'
import type { Request } from 'express'
import { RecentMap } from '../base/recent-map.js'

/** Knows the setting `trust proxy` of each app that a request can come through. */
export interface TrustedProxies {
  /** The fault of the setting, if it trusts everyone. */
  faultOf(app: Request['app']): string | undefined
  /** Whether the sender of a request is a trusted proxy. The address of the connection decides. */
  hasSent(req: Request): boolean
  /** Whether a request has come over HTTPS: then TLS works, and cleartext requests are no sign of a wrong setup. */
  hasSeenHttps: boolean
}

/** The setting as Express compiles it. Express makes a new function for each setting. */
type TrustProxy = (address: string, hop: number) => boolean

/** So many addresses are remembered for each setting. */
const KNOWN_ADDRESSES = 500

export function trustedProxies(): TrustedProxies {
  const sound = new WeakSet<TrustProxy>()
  const verdicts = new WeakMap<TrustProxy, RecentMap<boolean>>()

  /** Express parses the address on each call, which takes up to 4 us. Each request needs the answer three times. */
  function remembered(trust: TrustProxy, address: string): boolean {
    let known = verdicts.get(trust)
    if (known === undefined) {
      known = new RecentMap(KNOWN_ADDRESSES)
      verdicts.set(trust, known)
    }
    const verdict = known.get(address)
    if (verdict !== undefined) return verdict
    const found = trust(address, 0)
    known.add(address, found)
    return found
  }

  return {
    hasSeenHttps: false,
    faultOf(app) {
      const trust: TrustProxy = app.get('trust proxy fn')
      if (sound.has(trust)) return undefined
      const fault = faultOf(trust)
      if (fault === undefined) sound.add(trust)
      return fault
    },
    hasSent({ app, socket: { remoteAddress = '' } }) {
      const trust: TrustProxy = app.get('trust proxy fn')
      // A function of the host may change its mind.
      return typeof app.get('trust proxy') === 'function'
        ? trust(remoteAddress, 0)
        : remembered(trust, remoteAddress)
    },
  }
}

/**
 * Whether a request came over HTTPS. `req.secure` is not enough: if proxies append to `X-Forwarded-Proto`, Express uses
 * the leftmost value, which the client can choose. So every value must be https, including those that trusted proxies
 * have added.
 */
export function isSecure(req: Request, proxies: TrustedProxies): boolean {
  const forwarded = req.headers['x-forwarded-proto']
  if (forwarded === undefined || !proxies.hasSent(req)) return isEncrypted(req.socket)
  return forwarded === 'https' || isHttpsAtEveryHop(String(forwarded))
}

function isEncrypted(socket: Socket): boolean {
  return 'encrypted' in socket && socket.encrypted === true
}

function isHttpsAtEveryHop(forwarded: string): boolean {
  return forwarded.split(',').every((hop) => hop.trim().toLowerCase() === 'https')
}

const FAR_HOP = 1000
/** Reserved addresses (RFC 5737, RFC 3849), far apart: a setting that trusts all of them trusts everyone. */
const STRANGERS = ['192.0.2.1', '198.51.100.1', '203.0.113.1']
const STRANGERS_IPV6 = ['2001:db8::1', '3fff::1']

function faultOf(trust: TrustProxy): string | undefined {
  const trustsAll = (addresses: readonly string[]) => addresses.every((address) => trust(address, FAR_HOP))
  return trustsAll(STRANGERS) || trustsAll(STRANGERS_IPV6) ? PERMISSIVE_PROXY : undefined
}

const PERMISSIVE_PROXY =
  "trust proxy: expected the proxies in front of this app, such as app.set('trust proxy', 'loopback') or " +
  "app.set('trust proxy', 1) for one proxy, got a setting that trusts everyone: any client could then claim to " +
  'use HTTPS, from any address'
