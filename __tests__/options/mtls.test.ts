import { makeCertificate } from '../support/certificates.js'
import { pinnedJwk } from '../support/mutual-tls.js'
import { faultsOf, parse } from './faults-of.js'

describe('the option mtls', () => {
  it('defaults to connections alone, and to saying nothing of it', () => {
    const { mtls } = parse()
    expect(mtls).toMatchObject({ isAnnounced: false, proxyVerifies: false, origin: undefined })
    expect([mtls.isProxy('127.0.0.1'), mtls.isProxy(undefined)]).toEqual([false, false])
    expect(Object.isFrozen(mtls)).toBe(true)
  })

  it('is on when it is there, even empty', () => {
    expect(parse({ mtls: {} }).mtls.isAnnounced).toBe(true)
  })

  it('knows the proxies of its networks, an IPv4 address in IPv6 form too, and nobody else', () => {
    const { isProxy } = parse({ mtls: { proxies: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'] } }).mtls
    const [inside, outside] = [
      ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', 'fd12::1'],
      [
        '11.0.0.1',
        '::ffff:11.0.0.1',
        '192.0.2.8',
        '::1',
        'fe80::1',
        '',
        undefined,
        'localhost',
        '10.1.2.3, 11.0.0.1',
      ],
    ]
    expect(inside?.map(isProxy)).toEqual(inside?.map(() => true))
    expect(outside?.map(isProxy)).toEqual(outside?.map(() => false))
  })

  it('reads an IPv4 network in IPv6 form', () => {
    const { isProxy } = parse({ mtls: { proxies: ['::ffff:10.0.0.0/104', '::1'] } }).mtls
    expect(['10.1.2.3', '::1', '11.0.0.1', '203.0.113.9', '::2'].map(isProxy)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })

  const NETWORK = expect.stringMatching(/a network of your own proxies.*no wider than \/8, in IPv6 \/7, got/)
  it.each<[string, unknown, unknown]>([
    ['mtls', null, 'an object, got null'],
    ['mtls', true, 'an object, got true'],
    ['mtls.proxies', { proxies: '10.0.0.0/8' }, expect.stringContaining('a list')],
    ['mtls.proxies[0]', { proxies: ['0.0.0.0/0'] }, NETWORK],
    ['mtls.proxies[1]', { proxies: ['10.0.0.1', '128.0.0.0/1'] }, NETWORK],
    ['mtls.proxies[0]', { proxies: ['::/0'] }, NETWORK],
    ['mtls.proxies[0]', { proxies: ['::ffff:10.0.0.0/8'] }, NETWORK],
    ['mtls.proxies[0]', { proxies: ['::/64'] }, NETWORK],
    ['mtls.proxies[0]', { proxies: ['::ffff:0:0/96'] }, NETWORK],
    ['mtls.proxies[0]', { proxies: ['::ffff:10.0.0.0/103'] }, NETWORK],
    ['mtls.proxies[0]', { proxies: ['proxy.example.com'] }, NETWORK],
    ['mtls.proxies', { proxyVerifies: true }, expect.stringContaining('mtls.proxyVerifies is true')],
    ['mtls.proxyVerifies', { proxies: ['10.0.0.1'], proxyVerifies: 'yes' }, 'true or false, got "yes"'],
    ['mtls.origin', { origin: 'http://mtls.example.com' }, expect.stringContaining('an https origin')],
    ['mtls.origin', { origin: 'https://mtls.example.com/' }, expect.stringContaining('an https origin')],
    ['mtls.origin', { origin: 'https://mtls.example.com/oauth' }, expect.stringContaining('an https origin')],
    ['mtls.origin', { origin: 'mtls.example.com' }, expect.stringContaining('an https origin')],
    ['mtls.proxys', { proxys: [] }, expect.stringContaining('did you mean proxies?')],
  ])('is refused where %s is wrong: %j', (path, mtls, expected) => {
    const faults = faultsOf({ mtls }).map((fault) => fault.split(': expected '))
    expect(faults).toEqual([[path, expected]])
  })
})

describe('a client that authenticates by a certificate', () => {
  const policy = { scopes: ['devices:read'] }
  const jwk = pinnedJwk(makeCertificate())

  const confirmation = { 'x5t#S256': makeCertificate().thumbprint }
  const BINDING = { bindingId: 'b', confirmation, boundAt: 1, keyId: 'k' }

  function faultsOfClient(client: object): readonly string[] {
    return faultsOf({ clients: [{ clientId: 'a', policy, ...client }] })
  }

  it.each<[string, object]>([
    ['a name', { metadata: { tls_client_auth_san_dns: 'a.example.com' } }],
    [
      'a name and a secret',
      { clientSecret: 'correct-horse-battery-staple', metadata: { tls_client_auth_subject_dn: 'CN=a' } },
    ],
    ['a certificate', { authenticationMethods: ['self_signed_tls_client_auth'], jwks: { keys: [jwk] } }],
    [
      'a certificate that it has bound',
      { authenticationMethods: ['self_signed_tls_client_auth'], bindings: [BINDING] },
    ],
  ])('is accepted with %s', (_, client) => {
    expect(faultsOfClient(client)).toEqual([])
  })

  it('has the method that its name is for, when it names none', async () => {
    const clients = [{ clientId: 'a', policy, metadata: { tls_client_auth_san_ip: '192.0.2.1' } }]
    const client = await parse({ clients }).deployment.registry.find('a')
    expect(client?.authenticationMethods).toEqual(['tls_client_auth'])
  })

  it.each<[string, object, string]>([
    [
      'no name',
      { authenticationMethods: ['tls_client_auth'] },
      'clients[0].metadata: expected one of tls_client_auth_subject_dn',
    ],
    [
      'two names',
      { metadata: { tls_client_auth_san_dns: 'a', tls_client_auth_san_uri: 'urn:a' } },
      'clients[0].metadata.tls_client_auth_san_uri: expected to be the only one',
    ],
    [
      'a name that is none',
      { metadata: { tls_client_auth_subject_dn: 'CN=a, O=b' } },
      'clients[0].metadata.tls_client_auth_subject_dn: expected a distinguished name',
    ],
    [
      'no certificate',
      {
        authenticationMethods: ['self_signed_tls_client_auth'],
        jwks: { keys: [{ ...jwk, x5c: undefined }] },
      },
      'clients[0].metadata.jwks: expected a key with x5c or x5t#S256',
    ],
    [
      'a wish that is no boolean',
      {
        clientSecret: 'correct-horse-battery-staple',
        metadata: { tls_client_certificate_bound_access_tokens: 1 },
      },
      'clients[0].metadata.tls_client_certificate_bound_access_tokens: expected true or false, got 1',
    ],
  ])('is refused with %s', (_, client, fault) => {
    expect(faultsOfClient(client)).toEqual([expect.stringContaining(fault)])
  })
})
