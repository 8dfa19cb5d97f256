import { readCertificate } from '../../lib/certificates/certificate.js'
import {
  CERTIFICATE_NAME_MEMBERS,
  certificateNameFault,
  hasRegisteredName,
} from '../../lib/certificates/certificate-name.js'
import {
  type AlternativeEntry,
  type CertificatePlan,
  makeCertificate,
  TYPES,
} from '../support/certificates.js'

const { CN, O } = TYPES

function has(metadata: Record<string, unknown>, plan: CertificatePlan): boolean {
  const read = readCertificate(makeCertificate(plan).der)
  if (read === undefined) throw new Error('the certificate cannot be read')
  return hasRegisteredName(read, metadata)
}

const IPV6 = Buffer.from('20010db8000000000000000000000001', 'hex')

describe('hasRegisteredName', () => {
  it.each<[string, string, AlternativeEntry]>([
    ['dns', 'a.example.com', ['dns', 'a.example.com']],
    ['dns', 'a.example.com', ['dns', 'A.Example.COM']],
    ['uri', 'spiffe://example.com/sensor', ['uri', 'spiffe://example.com/sensor']],
    ['ip', '192.0.2.1', ['ip', Buffer.from([192, 0, 2, 1])]],
    ['ip', '2001:db8::1', ['ip', IPV6]],
    ['ip', '2001:0DB8:0:0::0001', ['ip', IPV6]],
    ['ip', '::1', ['ip', Buffer.from('00000000000000000000000000000001', 'hex')]],
    ['ip', '1::', ['ip', Buffer.from('00010000000000000000000000000000', 'hex')]],
    ['ip', '::ffff:192.0.2.1', ['ip', Buffer.from('00000000000000000000ffffc0000201', 'hex')]],
    ['ip', '1:2:3:4:5:6:7:8', ['ip', Buffer.from('00010002000300040005000600070008', 'hex')]],
    ['email', 'Ops@example.com', ['email', 'Ops@Example.com']],
  ])('finds the %s %s', (kind, registered, entry) => {
    const metadata = { [`tls_client_auth_san_${kind}`]: registered }
    expect(has(metadata, { names: [entry] })).toBe(true)
    expect(has(metadata, { names: [['dns', 'other.example.com'], entry] })).toBe(true)
    expect(has(metadata, {})).toBe(false)
  })

  const VICTIM = { tls_client_auth_san_dns: 'victim.example.com' }

  it.each<[string, CertificatePlan]>([
    ['the common name', { subject: [[CN, 'victim.example.com']] }],
    ['the text of an entry in the common name', { subject: [[CN, 'evil, DNS:victim.example.com']] }],
    ['the text of an entry in a URI', { names: [['uri', 'http://evil, DNS:victim.example.com']] }],
    ['the text of an entry in a DNS name', { names: [['dns', 'evil, DNS:victim.example.com']] }],
    ['a quoted text', { names: [['dns', '"victim.example.com"']] }],
    ['a quote and what follows it', { names: [['dns', 'evil", DNS:"victim.example.com']] }],
    ['a NUL after it', { names: [['dns', 'victim.example.com\0']] }],
    ['a NUL and a suffix', { names: [['dns', 'victim.example.com\0.evil.com']] }],
    ['a newline after it', { names: [['dns', 'victim.example.com\n']] }],
    ['a newline before it', { names: [['dns', 'evil\nvictim.example.com']] }],
    ['a dot after it', { names: [['dns', 'victim.example.com.']] }],
    ['a space before it', { names: [['dns', ' victim.example.com']] }],
    ['a wildcard', { names: [['dns', '*.example.com']] }],
    ['a prefix', { names: [['dns', 'a.victim.example.com']] }],
    ['a suffix', { names: [['dns', 'victim.example.com.evil.com']] }],
    ['a letter that folds to one of it', { names: [['dns', 'vIct\u0131m.example.com']] }],
    ['full-width letters', { names: [['dns', '\uff56ictim.example.com']] }],
    ['an entry of another kind', { names: [['uri', 'victim.example.com']] }],
    ['an email address at it', { names: [['email', 'victim.example.com']] }],
    ['an empty entry', { names: [['dns', '']] }],
  ])('is not deceived by %s', (_, plan) => {
    expect(has(VICTIM, plan)).toBe(false)
  })

  it.each<[string, Record<string, string>, CertificatePlan]>([
    [
      'an IPv4 address in IPv6 form',
      { ip: '192.0.2.1' },
      { names: [['ip', Buffer.from('00000000000000000000ffffc0000201', 'hex')]] },
    ],
    ['an IP address as a DNS name', { ip: '192.0.2.1' }, { names: [['dns', '192.0.2.1']] }],
    ['an IP address as its text', { ip: '192.0.2.1' }, { names: [['ip', '192.0.2.1']] }],
    [
      'an IP address with a mask',
      { ip: '192.0.2.1' },
      { names: [['ip', Buffer.from([192, 0, 2, 1, 255, 255, 255, 255])]] },
    ],
    [
      'another case in front of the @',
      { email: 'Ops@example.com' },
      { names: [['email', 'ops@example.com']] },
    ],
    ['two @', { email: 'a@example.com' }, { names: [['email', 'a@example.com@evil.com']] }],
    ['another case in a URI', { uri: 'urn:a:b' }, { names: [['uri', 'URN:a:b']] }],
    [
      'a URI with a slash more',
      { uri: 'https://a.example.com' },
      { names: [['uri', 'https://a.example.com/']] },
    ],
  ])('takes %s for something else', (_, registered, plan) => {
    const metadata = Object.fromEntries(
      Object.entries(registered).map(([kind, name]) => [`tls_client_auth_san_${kind}`, name]),
    )
    expect(has(metadata, plan)).toBe(false)
  })

  it('finds a subject, attribute by attribute', () => {
    const metadata = { tls_client_auth_subject_dn: 'CN=sensor,O=Example\\, Inc.' }
    expect(
      has(metadata, {
        subject: [
          [O, 'Example, Inc.'],
          [CN, 'sensor'],
        ],
      }),
    ).toBe(true)
    expect(
      has(metadata, {
        subject: [
          [CN, 'sensor'],
          [O, 'Example, Inc.'],
        ],
      }),
    ).toBe(false)
    expect(
      has(metadata, {
        subject: [
          [O, ' Inc.'],
          [O, 'Example'],
          [CN, 'sensor'],
        ],
      }),
    ).toBe(false)
  })

  it('matches nothing where no name is registered, or more than one (RFC 8705 2.1.2)', () => {
    const plan: CertificatePlan = { subject: [[CN, 'a']], names: [['dns', 'a.example.com']] }
    expect(has({}, plan)).toBe(false)
    expect(has({ tls_client_auth_san_dns: 'a.example.com' }, plan)).toBe(true)
    expect(has({ tls_client_auth_san_dns: 'a.example.com', tls_client_auth_subject_dn: 'CN=a' }, plan)).toBe(
      false,
    )
    expect(has({ tls_client_auth_san_dns: ['a.example.com'] }, plan)).toBe(false)
    expect(has({ tls_client_auth_san_dns: '' }, plan)).toBe(false)
    expect(has({ tls_client_auth_subject_dn: '' }, { subject: [] })).toBe(false)
  })
})

describe('certificateNameFault', () => {
  it.each([
    [
      'dns',
      ['a', 'a.example.com', 'xn--mller-kva.example.com', '_a.example.com'],
      ['*.example.com', 'a..b', 'a.', '.a', 'a b', 'ä.example.com', 'a'.repeat(64), ''],
    ],
    ['uri', ['urn:a', 'spiffe://a/b', 'https://a'], ['/a', 'a', 'urn:', 'urn:a b', 'urn:ä']],
    ['ip', ['192.0.2.1', '::1'], ['192.0.2.1/32', '192.0.2', '01.2.3.4', '[::1]', 'fe80::1%eth0', 'a']],
    ['email', ['a@b', 'a.b+c@example.com'], ['a', '@b', 'a@', 'a@b@c', 'a b@c', 'a@ä']],
  ])('judges the form of tls_client_auth_san_%s', (kind, good, bad) => {
    const member = CERTIFICATE_NAME_MEMBERS.find((one) => one === `tls_client_auth_san_${kind}`)
    if (member === undefined) throw new Error('no such member')
    expect(good.map((value) => certificateNameFault(member, value))).toEqual(good.map(() => undefined))
    for (const value of [...bad, 7, null, ['a'], {}, 'a'.repeat(2000)]) {
      expect([value, certificateNameFault(member, value)]).toEqual([value, expect.any(String)])
    }
  })
})
