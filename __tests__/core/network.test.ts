import fc from 'fast-check'
import { isInNetworks, isNetworkWithin, parseNetwork } from '../../lib/core/network.js'

describe('parseNetwork', () => {
  const NETWORKS: [string, string, number, string][] = [
    ['10.0.0.0/8', '10.0.0.0', 8, 'ipv4'],
    ['192.0.2.1', '192.0.2.1', 32, 'ipv4'],
    ['0.0.0.0/0', '0.0.0.0', 0, 'ipv4'],
    ['192.0.2.1/32', '192.0.2.1', 32, 'ipv4'],
    ['2001:db8::/32', '2001:db8::', 32, 'ipv6'],
    ['::1', '::1', 128, 'ipv6'],
    ['::/0', '::', 0, 'ipv6'],
    ['::ffff:10.0.0.0/104', '::ffff:10.0.0.0', 104, 'ipv6'],
  ]
  it.each(NETWORKS)('reads %s', (text, address, prefix, family) => {
    expect(parseNetwork(text)).toEqual({ address, prefix, family })
  })

  const GARBAGE = [
    ...[
      '',
      '/',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '10.0.0/8',
      '10/8',
    ],
    ...[
      '010.0.0.0/8',
      '256.0.0.0/8',
      '10.0.0.0/8 ',
      ' 10.0.0.0/8',
      '10.0.0.0 /8',
      '10.0.0.0/ 8',
      '10.0.0.0/8.0',
    ],
    ...[
      '10.0.0.0/1e1',
      '10.0.0.0/0x8',
      '10.0.0.0/255.0.0.0',
      '10.0.0.*',
      '*',
      'any',
      'localhost',
      '[::1]',
      ':::/8',
    ],
    ...[
      '10.0.0.0/٨',
      '10.0.0.0/0008',
      '10.0.0.1-10.0.0.9',
      'example.com/8',
      '10.0.0.0\n',
      '1',
      '0x0a000000/8',
    ],
  ]
  it.each(GARBAGE)('refuses %j', (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  })
})

describe('isInNetworks', () => {
  const CASES: [string | undefined, string[], boolean][] = [
    ['10.1.2.3', ['10.0.0.0/8'], true],
    ['11.0.0.0', ['10.0.0.0/8'], false],
    ['192.0.2.127', ['192.0.2.0/25'], true],
    ['192.0.2.128', ['192.0.2.0/25'], false],
    ['192.0.2.2', ['192.0.2.1'], false],
    ['192.0.2.1', ['10.0.0.0/8', '192.0.2.1'], true],
    ['255.255.255.255', ['0.0.0.0/0'], true],
    ['10.9.9.9', ['10.0.0.5/8'], true],
    ['2001:db8:ffff::1', ['2001:db8::/32'], true],
    ['2001:db9::1', ['2001:db8::/32'], false],
    ['2001:DB8:0:0:0:0:0:1', ['2001:db8::1'], true],
    ['2001:db8::1', ['::/0'], true],
    ['2001:db8::1', ['0.0.0.0/0'], false],
    ['::1', ['127.0.0.0/8'], false],
    ['::ffff:10.0.0.1', ['10.0.0.0/8'], true],
    ['::FFFF:10.0.0.1', ['10.0.0.0/8'], true],
    ['::ffff:a00:1', ['10.0.0.0/8'], true],
    ['0:0:0:0:0:ffff:10.0.0.1', ['10.0.0.0/8'], true],
    ['::ffff:11.0.0.1', ['10.0.0.0/8'], false],
    ['10.0.0.1', ['::ffff:10.0.0.0/104'], true],
    ['::ffff:10.0.0.1', ['::ffff:10.0.0.0/104'], true],
    ['11.0.0.1', ['::ffff:10.0.0.0/104'], false],
    ['203.0.113.9', ['::ffff:10.0.0.0/8'], false],
    ['203.0.113.9', ['::/64'], false],
    ['203.0.113.9', ['::/0'], false],
    ['::ffff:203.0.113.9', ['::/0'], false],
    ['203.0.113.9', ['::ffff:0:0/96'], true],
    ['::1', ['::/64'], true],
    ['::10.0.0.1', ['10.0.0.0/8'], false],
    ['64:ff9b::10.0.0.1', ['10.0.0.0/8'], false],
    ['fe80::1%eth0', ['fe80::/10'], true],
    ['10.0.0.1', [], false],
    [undefined, ['0.0.0.0/0', '::/0'], false],
    ['', ['0.0.0.0/0', '::/0'], false],
    ['unknown', ['0.0.0.0/0', '::/0'], false],
    ['10.0.0.1:443', ['10.0.0.0/8'], false],
    ['10.0.0.1, 192.0.2.1', ['10.0.0.0/8'], false],
    ['::ffff:::ffff:10.0.0.1', ['10.0.0.0/8'], false],
    ['010.0.0.1', ['10.0.0.0/8'], false],
    ['10.0.0.1', ['10.0.0.0/33'], false],
    ['10.0.0.1', ['10.0.0.0/8', 'garbage'], false],
    ['10.0.0.1', ['garbage', '10.0.0.0/8'], false],
  ]
  it.each(CASES)('of %j and %j answers %j', (address, networks, expected) => {
    expect(isInNetworks(address, networks)).toBe(expected)
  })

  it('compares the bits of the prefix and no others (IPv4, mapped or not)', () => {
    const near = fc
      .tuple(fc.nat(0xffffffff), fc.nat(32))
      .map(([a, flip]) => [a, (a ^ (1 << flip)) >>> 0] as const)
    fc.assert(
      fc.property(near, fc.integer({ min: 0, max: 32 }), ([network, address], prefix) => {
        const within = BigInt(network) >> BigInt(32 - prefix) === BigInt(address) >> BigInt(32 - prefix)
        const networks = [`${dotted(network)}/${prefix}`]
        expect(isInNetworks(dotted(address), networks)).toBe(within)
        expect(isInNetworks(`::ffff:${dotted(address)}`, networks)).toBe(within)
      }),
    )
  })

  it('compares the bits of the prefix and no others (IPv6)', () => {
    const ipv6 = fc.bigInt({ min: 1n << 112n, max: (1n << 128n) - 1n })
    const near = fc.tuple(ipv6, fc.nat(111)).map(([a, flip]) => [a, a ^ (1n << BigInt(flip))] as const)
    fc.assert(
      fc.property(near, fc.integer({ min: 0, max: 128 }), ([network, address], prefix) => {
        const within = network >> BigInt(128 - prefix) === address >> BigInt(128 - prefix)
        expect(isInNetworks(colons(address), [`${colons(network)}/${prefix}`])).toBe(within)
      }),
    )
  })

  it('answers for any text whatever, and lets none in that is no address', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string(), { maxLength: 3 }), (address, networks) => {
        expect(isInNetworks(address, networks)).toBe(false)
      }),
    )
  })
})

describe('isNetworkWithin', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8', true],
    ['10.1.0.0/16', '10.0.0.0/8', true],
    ['10.1.2.3', '10.0.0.0/8', true],
    ['10.0.0.0/8', '10.1.0.0/16', false],
    ['10.0.0.0/7', '10.0.0.0/8', false],
    ['11.0.0.0/16', '10.0.0.0/8', false],
    ['0.0.0.0/0', '10.0.0.0/8', false],
    ['10.0.0.0/8', '0.0.0.0/0', true],
    ['2001:db8:1::/48', '2001:db8::/32', true],
    ['::/0', '2001:db8::/32', false],
    ['10.0.0.0/8', '2001:db8::/32', false],
    ['2001:db8::1', '0.0.0.0/0', false],
    ['garbage', '0.0.0.0/0', false],
    ['10.0.0.0/8', 'garbage', false],
  ])('of %s and %s answers %s', (inner, outer, expected) => {
    expect(isNetworkWithin(inner, outer)).toBe(expected)
  })

  it('is so only if no address of the one lies outside the other', () => {
    const address = fc.nat(0xffffffff)
    const prefix = fc.integer({ min: 0, max: 32 })
    fc.assert(
      fc.property(address, fc.nat(31), prefix, prefix, address, (base, flip, a, b, host) => {
        const [inner, outer] = [`${dotted(base)}/${a}`, `${dotted((base ^ (1 << flip)) >>> 0)}/${b}`]
        if (!isNetworkWithin(inner, outer)) return
        const mask = a === 0 ? 0 : (0xffffffff << (32 - a)) >>> 0
        expect(isInNetworks(dotted(((base & mask) | (host & ~mask)) >>> 0), [outer])).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.')
}

function colons(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => (address >> BigInt(112 - 16 * i)) & 0xffffn)
  return groups.map((group) => group.toString(16)).join(':')
}
