import { describe, type Faults } from '../base/faults.js'
import { holdsMappedAddresses, isNetworkWithin, networkTester, parseNetwork } from '../base/network.js'
import { isObject } from '../base/object.js'
import { readList } from './policy.js'

/**
 * Client certificates (RFC 8705). Those of direct TLS connections are read without any of this, where the server asks
 * for them (`requestCert`). Give an empty object to have the metadata say that they are.
 */
export interface MtlsOptions {
  /**
   * The networks, in CIDR notation, of the proxies that terminate TLS and pass the certificate on in the `Client-Cert`
   * header (RFC 9440), having removed any that came with the request. From anybody else the header is ignored.
   * Default: none.
   */
  readonly proxies?: readonly string[]
  /**
   * Whether these proxies pass on only certificates that they have verified, up to an authority that may vouch for
   * clients. Default `false`: what they pass on is good for `self_signed_tls_client_auth` and to bind keys to.
   */
  readonly proxyVerifies?: boolean
  /**
   * The https origin at which connections are asked for a client certificate, where that is not the issuer's: it
   * appears in the metadata as `mtls_endpoint_aliases` (RFC 8705 5). Default: none.
   */
  readonly origin?: string
}

/** How client certificates are read and announced. */
export interface MtlsRules {
  /** Whether the metadata announce any of it. */
  readonly isAnnounced: boolean
  readonly isProxy: (address: string | undefined) => boolean
  readonly proxyVerifies: boolean
  readonly origin: string | undefined
}

/** A wider network would hold strangers, and each of them could be whichever client it likes. */
const WIDEST_PREFIX = { ipv4: 8, ipv6: 7 } as const

/** The IPv4 addresses, mapped into IPv6 (RFC 4291 2.5.5.2). */
const MAPPED = '::ffff:0:0/96'

const PROXY = {
  expected: `a network of your own proxies in CIDR notation, no wider than /${WIDEST_PREFIX.ipv4}, in IPv6 /${WIDEST_PREFIX.ipv6}`,
  accepts(network: string) {
    const parsed = parseNetwork(network)
    if (parsed === undefined || parsed.prefix < WIDEST_PREFIX[parsed.family]) return false
    // IPv4 in the clothes of IPv6 is as wide as what it means: in ::ffff:10.0.0.0/8 lies every IPv4 address.
    return (
      !holdsMappedAddresses(network) &&
      (!isNetworkWithin(network, MAPPED) || parsed.prefix >= 96 + WIDEST_PREFIX.ipv4)
    )
  },
  mayBeNone: true,
}

/** Reads `mtls`. */
export function readMtls(value: unknown, faults: Faults): MtlsRules {
  if (value !== undefined && !isObject(value)) faults.add('mtls', 'an object', describe(value))
  const given: Record<string, unknown> = isObject(value) ? value : {}
  faults.addUnknownNames('mtls', given, ['proxies', 'proxyVerifies', 'origin'])
  const proxies = readList('mtls.proxies', given.proxies, PROXY, faults) ?? []
  const { proxyVerifies = false, origin } = given
  if (typeof proxyVerifies !== 'boolean')
    faults.add('mtls.proxyVerifies', 'true or false', describe(proxyVerifies))
  if (proxyVerifies === true && proxies.length === 0)
    faults.add(
      'mtls.proxies',
      'the proxies that verify, since mtls.proxyVerifies is true',
      describe(given.proxies),
    )
  if (origin !== undefined && !isHttpsOrigin(origin))
    faults.add('mtls.origin', 'an https origin, such as https://mtls.example.com', describe(origin))
  return Object.freeze({
    isAnnounced: value !== undefined,
    isProxy: networkTester(proxies.filter(PROXY.accepts)),
    proxyVerifies: proxyVerifies === true,
    origin: origin as string | undefined,
  })
}

function isHttpsOrigin(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    URL.canParse(value) &&
    /^https:/.test(value) &&
    new URL(value).origin === value
  )
}
