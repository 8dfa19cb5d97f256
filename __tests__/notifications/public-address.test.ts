import { withDefaults } from '../../lib/notifications/delivery-options.js'
import { checkedLookup } from '../../lib/notifications/https-post.js'
import { isPrivateHost, isPublicAddress } from '../../lib/notifications/public-address.js'

describe('an address is not public', () => {
  it.each([
    ['unspecified', '0.0.0.0'],
    ['unspecified in IPv6', '::'],
    ['of loopback', '127.8.9.10'],
    ['of loopback in IPv6', '::1'],
    ['of loopback, mapped into IPv6', '::ffff:127.0.0.1'],
    ['of loopback, mapped in hexadecimal', '::ffff:7f00:1'],
    ['of loopback, mapped and written in full', '0:0:0:0:0:ffff:7f00:0001'],
    ['of loopback, compatible with IPv4', '::127.0.0.1'],
    ['of loopback, translated by NAT64', '64:ff9b::127.0.0.1'],
    ['of loopback, translated by NAT64, in hexadecimal', '64:ff9b::7f00:1'],
    ['of a local NAT64', '64:ff9b:1::808:808'],
    ['of loopback, in 6to4', '2002:7f00:1::'],
    ['of Teredo', '2001:0:53aa:64c::1'],
    ['private, 10/8', '10.255.0.1'],
    ['private, 172.16/12', '172.31.255.255'],
    ['private, 192.168/16', '192.168.1.1'],
    ['private, mapped', '::FFFF:192.168.1.1'],
    ['unique and local', 'fd12:3456::1'],
    ['of a carrier', '100.64.0.1'],
    ['of link-local metadata', '169.254.169.254'],
    ['of link-local metadata, mapped', '::ffff:a9fe:a9fe'],
    ['of link-local metadata, translated by NAT64', '64:ff9b::a9fe:a9fe'],
    ['link-local in IPv6', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['for documentation', '203.0.113.9'],
    ['for documentation in IPv6', '2001:db8::1'],
    ['for multicast', '224.0.0.1'],
    ['for multicast in IPv6', 'ff02::1'],
    ['for broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['no address', 'localhost'],
    ['an IPv4 address with zeros', '0127.0.0.1'],
    ['an empty text', ''],
  ])('%s', (_, address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('an address is public', () => {
  it.each([
    ['8.8.8.8'],
    ['172.15.255.255'],
    ['172.32.0.0'],
    ['100.128.0.0'],
    ['223.255.255.255'],
    ['::ffff:8.8.8.8'],
    ['2606:4700:4700::1111'],
    ['2a00:1450:4001:81b::200e'],
    ['64:ff9b::8.8.8.8'],
  ])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })
})

describe('the host of a URL is private', () => {
  it.each([
    ['https://127.0.0.1/', true],
    ['https://127.1/', true],
    ['https://0x7f000001/', true],
    ['https://2130706433/', true],
    ['https://0177.0.0.1/', true],
    ['https://[::1]/', true],
    ['https://[::ffff:10.0.0.1]/', true],
    ['https://localhost/', true],
    ['https://LOCALHOST./', true],
    ['https://api.localhost/', true],
    ['https://hooks.example.com/', false],
    ['https://localhost.example.com/', false],
    ['https://8.8.8.8/', false],
  ])('%s: %s', (url, isPrivate) => {
    expect(isPrivateHost(new URL(url).hostname)).toBe(isPrivate)
  })
})

describe('the look-up of a host', () => {
  const addressesOf = (found: readonly string[], all: boolean) =>
    new Promise((resolve) => {
      const settings = withDefaults({ resolveHost: async () => found })
      checkedLookup(settings)('hooks.example.com', { all }, (...given) => resolve(given))
    })

  it('gives the socket only the public addresses of a name', async () => {
    const found = ['127.0.0.1', '8.8.8.8', '::ffff:10.0.0.1', '2606:4700:4700::1111', 'localhost']
    expect(await addressesOf(found, true)).toEqual([
      null,
      [
        { address: '8.8.8.8', family: 4 },
        { address: '2606:4700:4700::1111', family: 6 },
      ],
    ])
    expect(await addressesOf(found, false)).toEqual([null, '8.8.8.8', 4])
  })

  it.each([[[]], [['10.0.0.1']], [['::1', 'fe80::1%lo']]])('fails for %j', async (found) => {
    const [error] = (await addressesOf(found, true)) as [Error]
    expect(error).toMatchObject({ code: 'ADDRESS_REFUSED' })
  })
})
