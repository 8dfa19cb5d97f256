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
  const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
  const version = isIP(plain)
  if (version === 0) return false
  const list = new BlockList()
  for (const network of networks) {
    const parsed = parseNetwork(network)
    if (parsed === undefined) return false
    list.addSubnet(parsed.address, parsed.prefix, parsed.family)
  }
  return list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
}

/** Whether one network lies in another. */
export function isNetworkWithin(inner: string, outer: string): boolean {
  const [small, large] = [parseNetwork(inner), parseNetwork(outer)]
  if (small === undefined || large === undefined || small.family !== large.family) return false
  return small.prefix >= large.prefix && isInNetworks(small.address, [outer])
}
