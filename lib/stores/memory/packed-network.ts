/** A network as a number, or any other text as it is. A number takes 0 or 16 bytes, and a text takes 32 to 70. */
export type PackedNetwork = number | string

/** IPv4 networks are below this number. IPv6 networks begin here. */
const FIRST_IPV6 = 2 ** 24

/** Packs a text. Networks as `networkOf` writes them become numbers. */
export function packNetwork(text: string): PackedNetwork {
  const packed = numberOf(text)
  return packed !== undefined && unpackNetwork(packed) === text ? packed : text
}

export function unpackNetwork(packed: PackedNetwork): string {
  if (typeof packed === 'string') return packed
  if (packed < FIRST_IPV6) return `${packed >> 16}.${(packed >> 8) & 255}.${packed & 255}.0/24`
  const bits = packed - FIRST_IPV6
  const groups = [Math.floor(bits / 2 ** 32), Math.floor(bits / 2 ** 16) % 2 ** 16, bits % 2 ** 16]
  return `${groups.map((group) => group.toString(16)).join(':')}::/48`
}

/** Of a text that is no network, it is any number, or none. */
function numberOf(text: string): number | undefined {
  const head = text.slice(0, -'.0/24'.length)
  if (text.endsWith('.0/24')) return head.split('.').reduce((sum, part) => sum * 2 ** 8 + Number(part), 0)
  if (!text.endsWith('::/48')) return undefined
  return head.split(':').reduce((sum, part) => sum * 2 ** 16 + Number.parseInt(part, 16), 0) + FIRST_IPV6
}
