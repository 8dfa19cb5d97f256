import fc from 'fast-check'
import { networkOf } from '../../lib/base/network.js'
import { packNetwork, unpackNetwork } from '../../lib/stores/memory/stored-key.js'

describe('a packed network', () => {
  it('is a number for every IPv4 and IPv6 address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), ipV6()), (address) => {
        const network = networkOf(address) ?? ''
        const packed = packNetwork(network)
        expect([typeof packed, unpackNetwork(packed)]).toEqual(['number', network])
      }),
    )
  })

  it('gives back every other text as it was', () => {
    const odd = [
      '',
      '.0/24',
      '::/48',
      '192.0.2.0/25',
      '192.0.2.0.0/24',
      '999.0.2.0/24',
      '192.00.2.0/24',
      '-1.0.0.0/24',
      'a.b.c.0/24',
      '2001:db8::/48',
      '2001:0db8:1::/48',
      '10000:db8:1::/48',
      'NaN:NaN:NaN::/48',
      'a-network',
    ]
    expect(odd.map((text) => unpackNetwork(packNetwork(text)))).toEqual(odd)
    fc.assert(fc.property(fc.string(), (text) => unpackNetwork(packNetwork(text)) === text))
  })
})

/** An address in the form of RFC 5952, as a socket has it. */
function ipV6() {
  return fc.ipV6().map((address) => new URL(`http://[${address}]`).hostname.slice(1, -1))
}
