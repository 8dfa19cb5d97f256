import { join } from '../base/faults.js'
import { holdsMappedAddresses, isNetworkWithin, networkTester, parseNetwork } from '../base/network.js'
import { flag, object, type Reader, text, texts } from '../base/schema.js'
import { httpsUrl } from './https-url.js'

/**
 * How client certificates are read and announced (RFC 8705). You need no options if clients connect to Node directly and
 * your server asks for certificates (`requestCert`). Even then, give `{}` to announce the methods in the metadata.
 *
 * @example
 * const mtls: MtlsOptions = { proxies: ['10.1.0.0/16'], proxyVerifies: true, origin: 'https://mtls.example.com' }
 */
export interface MtlsOptions {
  /**
   * The networks of your proxies, in CIDR notation. These proxies terminate TLS, remove any `Client-Cert` header that a
   * client sent, and set it to the certificate of the client (RFC 9440). The header is ignored from all other addresses.
   * Default: none.
   * @example ['10.1.0.0/16']
   */
  readonly proxies?: readonly string[]
  /**
   * Whether these proxies verify the certificates against a certificate authority that you trust with the names of
   * clients. Default `false`: certificates can only bind keys and serve `self_signed_tls_client_auth`.
   * @example true
   */
  readonly proxyVerifies?: boolean
  /**
   * The https origin for clients with a certificate, if it is not the origin of the issuer. The metadata announces it as
   * `mtls_endpoint_aliases` (RFC 8705 5). Default: none.
   * @example 'https://mtls.example.com'
   */
  readonly origin?: string
}

export interface MtlsRules {
  /** Whether the metadata announces client certificates. */
  readonly isAnnounced: boolean
  readonly isProxy: (address: string | undefined) => boolean
  readonly proxyVerifies: boolean
  readonly origin: string | undefined
}

/** A wider network would include strangers, and each of them could impersonate any client. */
const WIDEST_PREFIX = { ipv4: 8, ipv6: 7 } as const

/** The IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2). */
const MAPPED = '::ffff:0:0/96'

const readMembers = object<MtlsOptions>({
  proxies: texts(
    `a network of your own proxies in CIDR notation, no wider than /${WIDEST_PREFIX.ipv4}, in IPv6 /${WIDEST_PREFIX.ipv6}`,
    isNarrowNetwork,
  ),
  proxyVerifies: flag,
  origin: text(
    'an https origin, such as https://mtls.example.com',
    (origin) => httpsUrl(origin)?.origin === origin,
  ),
})

export const readMtls: Reader<MtlsRules> = (value, path, faults) => {
  const { proxies = [], proxyVerifies = false, origin } = readMembers(value, path, faults)
  if (proxyVerifies && proxies.length === 0)
    faults.reject(
      join(path, 'proxies'),
      `the proxies that verify certificates, because ${path}.proxyVerifies is true`,
      proxies,
    )
  return Object.freeze({ isAnnounced: true, isProxy: networkTester(proxies), proxyVerifies, origin })
}

/** The rules without the option `mtls`: certificates of direct connections are read, but not announced. */
export const NO_MTLS: MtlsRules = Object.freeze({
  isAnnounced: false,
  isProxy: () => false,
  proxyVerifies: false,
  origin: undefined,
})

function isNarrowNetwork(network: string): boolean {
  const parsed = parseNetwork(network)
  if (parsed === undefined || parsed.prefix < WIDEST_PREFIX[parsed.family]) return false
  // The prefix of a mapped network counts from the first IPv6 bit: ::ffff:10.0.0.0/8 contains every IPv4 address.
  return (
    !holdsMappedAddresses(network) &&
    (!isNetworkWithin(network, MAPPED) || parsed.prefix >= 96 + WIDEST_PREFIX.ipv4)
  )
}
