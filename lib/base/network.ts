import { BlockList, isIP } from 'node:net'

/** Parses a network in CIDR notation, or a single address. Returns `undefined` if the text is neither. */
export function parseNetwork(
  text: string,
): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)))
    return undefined
  const bits = version === 4 ? 32 : 128
  const prefix = length === undefined ? bits : Number(length)
  return prefix > bits ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/**
 * Normalizes an IP address, so that equal addresses are equal texts. An IPv4 address that is mapped into IPv6 becomes
 * IPv4. An IPv6 address becomes compressed and lower-case, and loses its zone.
 *
 * @returns `undefined` if the text is not an IP address
 */
export function ipAddress(text: string | undefined): string | undefined {
  const version = isIP(text ?? '')
  if (text === undefined || version === 0) return undefined
  if (version === 4) return text
  // Node writes the address of an IPv4 client like this on a socket for both versions. A URL would take 3 us.
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(text) ?? []
  if (mapped !== undefined) return mapped
  // A zone is free text that the sender chooses. URL writes the form of RFC 5952, but an IPv4 part in hexadecimal.
  const compressed = new URL(`http://[${text.replace(/%.*/s, '')}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(compressed) ?? []
  if (high === undefined || low === undefined) return compressed
  return [high, low].flatMap((group) => octets(Number.parseInt(group, 16))).join('.')
}

function octets(group: number): readonly number[] {
  return [group >> 8, group & 0xff]
}

/**
 * The network of an address, as monitoring compares networks: the first 24 bits of IPv4, and the first 48 of IPv6, which a
 * provider gives to one site (RFC 6177).
 */
export function networkOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  if (!address.includes(':')) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  return `${groupsOf(address).slice(0, 3).join(':')}::/48`
}

/**
 * The source of a request, as monitoring counts sources: an IPv4 address, or the first 64 bits of an IPv6 address, because
 * one machine can use all addresses of such a network (RFC 4291 2.5.1).
 */
export function sourceOf(address: string): string {
  return address.includes(':') ? `${groupsOf(address).slice(0, 4).join(':')}::/64` : address
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): readonly string[] {
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length
  return [...groups, ...Array<string>(zeros).fill('0'), ...after]
}

/** Whether an address lies in one of the networks. An IPv4 address that is mapped into IPv6 counts as IPv4. */
export function isInNetworks(address: string | undefined, networks: readonly string[]): boolean {
  return networkTester(networks)(address)
}

/** The length of `::ffff:0:0/96`, the prefix of mapped IPv4 addresses (RFC 4291 2.5.5.2). */
const MAPPED_BITS = 96

/** Prepares `isInNetworks` for networks that do not change. If one of them is invalid, no address lies in any. */
export function networkTester(networks: readonly string[]): (address: string | undefined) => boolean {
  // Two lists, because BlockList compares an IPv4 address in its mapped form: `::/64` would contain all of them.
  const [exact, wide] = [new BlockList(), new BlockList()]
  const parsed = networks.map(parseNetwork)
  for (const network of parsed) {
    if (network === undefined) continue
    const isWide = network.family === 'ipv6' && network.prefix < MAPPED_BITS
    const list = isWide ? wide : exact
    list.addSubnet(network.address, network.prefix, network.family)
  }
  const isValid = !parsed.includes(undefined)
  if (!isValid || parsed.length === 0) return () => false
  return (address) => {
    const plain = ipAddress(address)
    if (plain === undefined) return false
    return isIP(plain) === 4
      ? exact.check(plain, 'ipv4')
      : [exact, wide].some((one) => one.check(plain, 'ipv6'))
  }
}

/** Whether one network lies in another. */
export function isNetworkWithin(inner: string, outer: string): boolean {
  const [small, large] = [parseNetwork(inner), parseNetwork(outer)]
  if (small === undefined || large === undefined || small.family !== large.family) return false
  return small.prefix >= large.prefix && isInNetworks(small.address, [outer])
}

/** Whether an IPv6 network contains all IPv4 addresses in their mapped form. */
export function holdsMappedAddresses(network: string): boolean {
  const parsed = parseNetwork(network)
  if (parsed?.family !== 'ipv6' || parsed.prefix > MAPPED_BITS) return false
  const list = new BlockList()
  list.addSubnet(parsed.address, parsed.prefix, 'ipv6')
  return list.check('::ffff:0:0', 'ipv6')
}

/** The names of this machine that other machines cannot reach, as the URL parser writes them (RFC 8252 8.3). */
export const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether a `Host` header names this machine, with any port. */
export function isLoopbackName(host: string | undefined): boolean {
  return LOOPBACK_HOSTS.has(`${host}`.toLowerCase().replace(/:\d+$/, ''))
}

/** Whether an address belongs to this machine only (RFC 1122 3.2.1.3, RFC 4291 2.5.3). */
export function isLoopback(address: string | undefined): boolean {
  const plain = ipAddress(address)
  return plain === '::1' || plain?.startsWith('127.') === true
}
