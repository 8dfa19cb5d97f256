import { join } from '../base/faults.js'
import { holdsMappedAddresses, isNetworkWithin, networkTester, parseNetwork } from '../base/network.js'
import { flag, object, type Reader, text, texts } from '../base/schema.js'

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
   * clients. Default `false`: the certificates serve only for `self_signed_tls_client_auth` and to bind keys.
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

/** A wider network would include strangers, and each of them could impersonate any client. */
const WIDEST_PREFIX = { ipv4: 8, ipv6: 7 } as const

/** The IPv4 addresses, mapped into IPv6 (RFC 4291 2.5.5.2). */
const MAPPED = '::ffff:0:0/96'

const readMembers = object<MtlsOptions>({
  proxies: texts(
    `a network of your own proxies in CIDR notation, no wider than /${WIDEST_PREFIX.ipv4}, in IPv6 /${WIDEST_PREFIX.ipv6}`,
    isNarrowNetwork,
  ),
  proxyVerifies: flag,
  origin: text('an https origin, such as https://mtls.example.com', isHttpsOrigin),
})

export const readMtls: Reader<MtlsRules> = (value, path, noted) => {
  const { proxies = [], proxyVerifies = false, origin } = readMembers(value, path, noted)
  if (proxyVerifies && proxies.length === 0)
    noted.reject(
      join(path, 'proxies'),
      `the proxies that verify, since ${path}.proxyVerifies is true`,
      proxies,
    )
  return Object.freeze({ isAnnounced: true, isProxy: networkTester(proxies), proxyVerifies, origin })
}

/** The rules without the option: certificates of direct connections are read, and not announced. */
export const NO_MTLS: MtlsRules = Object.freeze({
  isAnnounced: false,
  isProxy: () => false,
  proxyVerifies: false,
  origin: undefined,
})

function isNarrowNetwork(network: string): boolean {
  const parsed = parseNetwork(network)
  if (parsed === undefined || parsed.prefix < WIDEST_PREFIX[parsed.family]) return false
  // A mapped network is as wide as its IPv6 prefix: ::ffff:10.0.0.0/8 contains every IPv4 address.
  return (
    !holdsMappedAddresses(network) &&
    (!isNetworkWithin(network, MAPPED) || parsed.prefix >= 96 + WIDEST_PREFIX.ipv4)
  )
}

function isHttpsOrigin(text: string): boolean {
  return URL.canParse(text) && /^https:/.test(text) && new URL(text).origin === text
}
