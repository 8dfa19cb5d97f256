import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import fc from 'fast-check'
import {
  certificateKey,
  certificateThumbprint,
  isValidAt,
  readCertificate,
} from '../../lib/certificates/certificate.js'
import { readElements, readOnly } from '../../lib/certificates/der.js'
import { alternativeNames, makeAuthority, makeCertificate, TYPES } from '../support/certificates.js'
import { cpuSecondsOf } from '../support/cpu-time.js'
import { element, objectIdentifier, sequence, text } from '../support/der.js'

const OPENSSL = '/usr/bin/openssl'

/** A certificate that OpenSSL makes. */
function byOpenssl(...args: string[]): Buffer {
  const options = ['req', '-x509', '-nodes', '-days', '1', '-outform', 'DER', '-keyout', '/dev/null', ...args]
  if (!existsSync(OPENSSL)) throw new Error('openssl is missing: apt-get install openssl')
  return execFileSync(OPENSSL, options, { stdio: ['ignore', 'pipe', 'ignore'] })
}

describe('readCertificate', () => {
  it('reads what Node reads of a certificate by openssl', () => {
    const der = byOpenssl(
      ...['-newkey', 'rsa:2048', '-subj', '/C=DE/O=Example, Inc./CN=sensor\\+7'],
      ...[
        '-addext',
        'subjectAltName=DNS:a.example.com,URI:urn:a:b,IP:192.0.2.1,IP:2001:db8::1,email:a@example.com',
      ],
    )
    const [read, node] = [readCertificate(der), new X509Certificate(der)]
    expect(read?.notBefore).toBe(Date.parse(node.validFrom) / 1000)
    expect(read?.notAfter).toBe(Date.parse(node.validTo) / 1000)
    expect(read && certificateKey(read)?.equals(node.publicKey)).toBe(true)
    expect(read?.alternativeNames).toEqual({
      dns: [Buffer.from('a.example.com')],
      uri: [Buffer.from('urn:a:b')],
      ip: [Buffer.from([192, 0, 2, 1]), Buffer.from('20010db8000000000000000000000001', 'hex')],
      email: [Buffer.from('a@example.com')],
    })
    expect(certificateThumbprint(der)).toBe(
      Buffer.from(node.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
    )
  })

  it.each([
    ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
    ['-newkey', 'ed25519'],
    ['-newkey', 'rsa:2048', '-set_serial', '0x7fffffffffffffffffffffffffffffffffffffff'],
  ])('reads a certificate by openssl with %s %s %s', (...args) => {
    expect(readCertificate(byOpenssl('-subj', '/CN=a', ...args))).toBeDefined()
  })

  it('reads times of this century and the last, and those that never come', () => {
    const notBefore = new Date('1999-12-31T23:59:59Z')
    const notAfter = new Date('9999-12-31T23:59:59Z')
    expect(readCertificate(makeCertificate({ notBefore, notAfter }).der)).toMatchObject({
      notBefore: notBefore.getTime() / 1000,
      notAfter: notAfter.getTime() / 1000,
    })
  })

  it('reads the same as Node of the certificates that the tests make', () => {
    const { der, publicKey } = makeCertificate({ names: [['dns', 'a.example.com']], issuer: makeAuthority() })
    const node = new X509Certificate(der)
    expect(node.subjectAltName).toBe('DNS:a.example.com')
    expect(node.publicKey.equals(publicKey)).toBe(true)
    expect(readCertificate(der)).toBeDefined()
  })

  const { der } = makeCertificate({ names: [['dns', 'a.example.com']] })

  /** The certificate with another text for the beginning of its validity. */
  function withDate(text: string): Buffer {
    const notBefore = new Date('2019-02-28T00:00:00Z')
    const written = makeCertificate({ notBefore }).der.toString('latin1')
    expect(written).toContain('190228000000Z')
    return Buffer.from(written.replace('190228000000Z', text), 'latin1')
  }

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('-----BEGIN CERTIFICATE-----')],
    ['a certificate with a byte after it', Buffer.concat([der, Buffer.from([0])])],
    ['two certificates', Buffer.concat([der, der])],
    ['a certificate without its last byte', der.subarray(0, -1)],
    ['an indefinite length', Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(4), Buffer.alloc(2)])],
    ['a length in more octets than it takes', Buffer.concat([Buffer.from([0x30, 0x83, 0]), der.subarray(2)])],
    ['a length beyond everything', Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff])],
    ['an empty sequence', sequence()],
    [
      'a certificate with a fourth part',
      sequence(...readElements(readOnly(der, 0x30).content).map(({ bytes }) => bytes), sequence()),
    ],
    ['a day that no month has', withDate('190231000000Z')],
    ['an hour that no day has', withDate('190228240000Z')],
    ['a time without its seconds', withDate('1902280000Z00')],
    ['a time in another zone', withDate('190228000000+')],
    ['three empty sequences', sequence(sequence(), sequence(), sequence())],
  ])('refuses %s', (_, bytes) => {
    expect(readCertificate(bytes)).toBeUndefined()
  })

  it('refuses two subjectAltName extensions (RFC 5280 4.2)', () => {
    const extensions = [alternativeNames([['dns', 'b.example.com']])]
    expect(
      readCertificate(makeCertificate({ names: [['dns', 'a.example.com']], extensions }).der),
    ).toBeUndefined()
  })

  it.each([
    ['a subjectAltName that is no octet string', sequence(objectIdentifier('2.5.29.17'), text('a'))],
    ['a subjectAltName of nothing', sequence(objectIdentifier('2.5.29.17'), element(0x04))],
    ['an extension without an identifier', sequence(text('a'))],
  ])('refuses %s', (_, extension) => {
    expect(readCertificate(makeCertificate({ extensions: [extension] }).der)).toBeUndefined()
  })

  it('survives whatever stands in its bytes', () => {
    const damaged = fc.tuple(fc.nat(der.length - 1), fc.nat(255)).map(([at, octet]) => {
      const bytes = Buffer.from(der)
      bytes[at] = octet
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        readCertificate(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('takes no time over deep or long garbage', async () => {
    let deep = sequence()
    for (let i = 0; i < 2000; i += 1) deep = sequence(deep)
    // The longest name that is read, and a longer one.
    const long = (count: number) => sequence(...Array.from({ length: count }, () => Buffer.from([0x30, 0])))
    const garbage = [deep, long(8000), sequence(long(8000), sequence(), sequence()), long(50_000)]
    const readAll = () => {
      for (let i = 0; i < 20; i += 1) for (const der of garbage) expect(readCertificate(der)).toBeUndefined()
    }
    expect(await cpuSecondsOf(readAll)).toBeLessThan(3)
  })
})

describe('isValidAt', () => {
  const read = readCertificate(
    makeCertificate({ notBefore: new Date(1_000_000_000_000), notAfter: new Date(1_000_000_100_000) }).der,
  )

  it.each([
    [999_999_994, false],
    [999_999_995, true],
    [1_000_000_000, true],
    [1_000_000_100, true],
    [1_000_000_105, true],
    [1_000_000_106, false],
  ])('with a tolerance of 5 s, at %d: %p', (seconds, expected) => {
    expect(read && isValidAt(read, seconds, 5)).toBe(expected)
  })
})

describe('certificateKey', () => {
  it('answers nothing for a key of a kind that is not known', () => {
    const publicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    const read = readCertificate(makeCertificate({ publicKey, subject: [[TYPES.CN, 'a']] }).der)
    const unknown = sequence(sequence(objectIdentifier('1.2.3.4')), element(0x03, Buffer.from([0, 1])))
    expect(read && certificateKey({ ...read, publicKeyInfo: unknown })).toBeUndefined()
  })
})
