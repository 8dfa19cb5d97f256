import fc from 'fast-check'
import {
  holdsMappedAddresses,
  ipAddress,
  isInNetworks,
  isNetworkWithin,
  networkOf,
  parseNetwork,
  sourceOf,
} from '../../lib/base/network.js'

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

describe('ipAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:0.0.0.0', '0.0.0.0'],
    ['::ffff:255.255.255.255', '255.255.255.255'],
    ['::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['::192.0.2.1', '::c000:201'],
    ['::', '::'],
    ['::1', '::1'],
  ])('reads %s as %s', (text, expected) => {
    expect(ipAddress(text)).toBe(expected)
  })

  it.each([
    ...[undefined, '', ' ', 'unknown', 'localhost', '192.0.2.1:443', '[::1]', '[::1]:443', '192.0.2.1%eth0'],
    ...['192.0.2.1 ', '192.0.2', '010.0.0.1', '192.0.2.1, 192.0.2.2', '192.0.2.0/24', '::1%', '::1%a b'],
    ...['::1%"', '::1%\n', 'x" severity=none', '::ffff:::ffff:10.0.0.1', '1::2::3', '_hidden', 'eyJhbGciOi'],
  ])('finds no address in %j', (text) => {
    expect(ipAddress(text)).toBeUndefined()
  })

  it('reads its own output as the same', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = ipAddress(text)
        expect(address).toBeDefined()
        expect(ipAddress(address)).toBe(address)
      }),
    )
  })

  it('writes each IPv6 address in one way', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (bits) => {
        const written = colons(bits)
        expect(ipAddress(written.toUpperCase())).toBe(ipAddress(written.replace(/\b(?=\w{1,3}\b)/g, '0')))
      }),
    )
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
    ['::ffff:cb00:7109', ['::/0'], false],
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
    ['::ffff:10.0.0.0/104', '::ffff:0:0/96', true],
    ['::ffff:a00:0/104', '::ffff:0:0/96', true],
    ['::ffff:10.0.0.0/104', '::/0', false],
    ['::ffff:a00:0/104', '::/0', false],
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

describe('holdsMappedAddresses', () => {
  it.each([
    ['::ffff:0:0/96', true],
    ['::ffff:10.0.0.0/8', true],
    ['::/64', true],
    ['::/0', true],
    ['::ffff:0:0/97', false],
    ['::ffff:10.0.0.0/104', false],
    ['2001:db8::/32', false],
    ['10.0.0.0/8', false],
    ['0.0.0.0/0', false],
    ['garbage', false],
  ])('of %s answers %s', (network, expected) => {
    expect(holdsMappedAddresses(network)).toBe(expected)
  })
})

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.')
}

function colons(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => (address >> BigInt(112 - 16 * i)) & 0xffffn)
  return groups.map((group) => group.toString(16)).join(':')
}

describe('monitoring', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0/24', '192.0.2.77'],
    ['2001:db8::1', '2001:db8:0::/48', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48', '2001:db8:1:2::/64'],
    ['fe80::1', 'fe80:0:0::/48', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0::/48', '0:0:0:0::/64'],
    ['::', '0:0:0::/48', '0:0:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1::/48', '2001:db8:1:2::/64'],
  ])('counts %s as the network %s and as the source %s', (address, network, source) => {
    expect([networkOf(address), sourceOf(address)]).toEqual([network, source])
  })

  it('knows no network of an unknown address', () => {
    expect(networkOf(undefined)).toBeUndefined()
  })

  it('counts all addresses of 64 bits as one source', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 4, maxLength: 4 }), (groups) => {
        const host = groups.map((group) => group.toString(16)).join(':')
        expect(sourceOf(ipAddress(`2001:db8:7:9:${host}`) ?? '')).toBe('2001:db8:7:9::/64')
      }),
    )
  })
})
