import { BlockList, isIP } from 'node:net'

/** A network in CIDR notation, taken apart; `undefined` when it is not one. A bare address is a network of one. */
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

/** Whether an address lies in one of the networks. An IPv4 address mapped into IPv6 counts as what it is. */
export function isInNetworks(address: string | undefined, networks: readonly string[]): boolean {
  return networkTester(networks)(address)
}

/** How many bits say that an IPv6 address is a mapped IPv4 address (RFC 4291 2.5.5.2). */
const MAPPED_BITS = 96

/** Makes `isInNetworks` for networks that do not change. Where one of them is no network, nothing lies in any. */
export function networkTester(networks: readonly string[]): (address: string | undefined) => boolean {
  // Apart, because BlockList compares an IPv4 address as a mapped one: every one of them lies in `::/64`.
  const [exact, wide] = [new BlockList(), new BlockList()]
  const parsed = networks.map(parseNetwork)
  for (const network of parsed) {
    if (network === undefined) continue
    const isWide = network.family === 'ipv6' && network.prefix < MAPPED_BITS
    const list = isWide ? wide : exact
    list.addSubnet(network.address, network.prefix, network.family)
  }
  const isValid = !parsed.includes(undefined)
  return (address) => {
    const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
    const version = isIP(plain)
    if (!isValid || version === 0) return false
    return version === 4 ? exact.check(plain, 'ipv4') : [exact, wide].some((one) => one.check(plain, 'ipv6'))
  }
}

/** Whether one network lies in another. */
export function isNetworkWithin(inner: string, outer: string): boolean {
  const [small, large] = [parseNetwork(inner), parseNetwork(outer)]
  if (small === undefined || large === undefined || small.family !== large.family) return false
  return small.prefix >= large.prefix && isInNetworks(small.address, [outer])
}
