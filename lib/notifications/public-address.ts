import { isIP } from 'node:net'
import { ipAddress, networkTester } from '../base/network.js'

/** The IPv4 networks that are not on the public internet (RFC 6890, IANA registry of special-purpose addresses). */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]

/** The prefix of IPv4 addresses that a NAT64 gateway translates (RFC 6052 2.1), and its length. */
const NAT64 = '64:ff9b::'
const NAT64_BITS = 96

/** The special networks inside 2000::/3: IETF protocols with Teredo, documentation, and 6to4. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

const isSpecial = networkTester([
  ...SPECIAL_IPV4,
  ...SPECIAL_IPV6,
  ...SPECIAL_IPV4.map((network) => {
    const [address, prefix] = network.split('/')
    return `${NAT64}${address}/${NAT64_BITS + Number(prefix)}`
  }),
])

/** All global unicast addresses of IPv6 (RFC 4291 2.4), and the IPv4 addresses behind a NAT64 gateway. */
const isGlobalIpv6 = networkTester(['2000::/3', `${NAT64}/${NAT64_BITS}`])

/** Whether an address is on the public internet. An IPv4 address that is mapped into IPv6 counts as IPv4. */
export function isPublicAddress(address: string): boolean {
  const plain = ipAddress(address)
  if (plain === undefined || isSpecial(plain)) return false
  return isIP(plain) === 4 || isGlobalIpv6(plain)
}

/** Whether a host of a URL is an address or a name that only this machine or this network can reach. */
export function isPrivateHost(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0) return !isPublicAddress(address)
  return /^(.*\.)?localhost\.?$/i.test(hostname)
}
