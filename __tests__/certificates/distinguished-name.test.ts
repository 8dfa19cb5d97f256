import fc from 'fast-check'
import { readCertificate } from '../../lib/certificates/certificate.js'
import { isSameName, parseName } from '../../lib/certificates/distinguished-name.js'
import { type CertificatePlan, makeCertificate, TYPES } from '../support/certificates.js'
import { growthOf } from '../support/growth.js'

const { CN, C, O, OU } = TYPES
const PRINTABLE = 0x13
const TELETEX = 0x14
const BMP = 0x1e

function subjectOf(subject: NonNullable<CertificatePlan['subject']>) {
  const read = readCertificate(makeCertificate({ subject }).der)
  if (read === undefined) throw new Error('the certificate cannot be read')
  return read.subject
}

/** Whether a certificate with this subject matches the registered name. */
function matches(registered: string, subject: NonNullable<CertificatePlan['subject']>): boolean {
  const name = parseName(registered)
  if (name === undefined) throw new Error(`not a name: ${registered}`)
  return isSameName(name, subjectOf(subject))
}

describe('a registered distinguished name', () => {
  it('is written from the last RDN to the first (RFC 4514 2.1)', () => {
    const subject = [
      [C, 'DE'],
      [O, 'Example'],
      [CN, 'sensor'],
    ] as const
    expect(matches('CN=sensor,O=Example,C=DE', subject)).toBe(true)
    expect(matches('cn=sensor,o=Example,2.5.4.6=DE', subject)).toBe(true)
    expect(matches('C=DE,O=Example,CN=sensor', subject)).toBe(false)
    expect(matches('CN=sensor,O=Example', subject)).toBe(false)
    expect(matches('CN=sensor', subject)).toBe(false)
    expect(matches('OU=x,CN=sensor,O=Example,C=DE', subject)).toBe(false)
  })

  it('is compared with regard to case and spaces', () => {
    expect(matches('CN=Sensor', [[CN, 'sensor']])).toBe(false)
    expect(matches('CN=a  b', [[CN, 'a b']])).toBe(false)
  })

  it.each([
    ['UTF8String', 'Müller', undefined],
    ['BMPString', Buffer.from('Müller', 'utf16le').swap16(), BMP],
  ])('is the same as a %s', (_, value, tag) => {
    expect(matches('CN=Müller', [[CN, value, tag]])).toBe(true)
    expect(matches('CN=M\\C3\\BCller', [[CN, value, tag]])).toBe(true)
  })

  it('is the same as a PrintableString, and never as a TeletexString, whose octets are read in many ways', () => {
    expect(matches('CN=sensor', [[CN, 'sensor', PRINTABLE]])).toBe(true)
    expect(matches('CN=sensor', [[CN, 'sensor', TELETEX]])).toBe(false)
    expect(matches('CN=#140673656e736f72', [[CN, 'sensor', TELETEX]])).toBe(true)
  })

  it('reads a hexadecimal value (RFC 4514 2.4)', () => {
    expect(matches('CN=#0c0673656e736f72', [[CN, 'sensor']])).toBe(true)
    expect(matches('2.5.4.3=#0C0673656E736F72', [[CN, 'sensor', PRINTABLE]])).toBe(true)
    expect(matches('CN=#0c0673656e736f73', [[CN, 'sensor']])).toBe(false)
    expect(matches('CN=\\#0c0673656e736f72', [[CN, 'sensor']])).toBe(false)
  })

  it('takes an RDN of several values in any order, and as nothing else', () => {
    const subject = [
      [O, 'Example'],
      [
        [CN, 'a'],
        [OU, 'b'],
      ],
    ] as const
    expect(matches('CN=a+OU=b,O=Example', subject)).toBe(true)
    expect(matches('OU=b+CN=a,O=Example', subject)).toBe(true)
    expect(matches('CN=a,OU=b,O=Example', subject)).toBe(false)
    expect(matches('CN=a\\+OU=b,O=Example', subject)).toBe(false)
    expect(matches('CN=b+OU=a,O=Example', subject)).toBe(false)
  })

  it.each([
    ['a comma', 'victim,O=Example'],
    ['an escaped comma', 'victim\\,O=Example'],
    ['a plus', 'victim+O=Example'],
    ['a quote', 'victim","O=Example'],
    ['a newline', 'victim\nO=Example'],
    ['a slash', 'victim/O=Example'],
    ['a NUL', 'victim\0.evil'],
    ['JSON', 'victim"],["2.5.4.10","text","Example'],
    ['a name in another name', ', CN=victim'],
  ])('cannot be had by putting %s into the value of an attribute', (_, value) => {
    for (const registered of [
      'CN=victim,O=Example',
      'O=Example,CN=victim',
      'CN=victim+O=Example',
      'CN=victim',
    ]) {
      expect(matches(registered, [[CN, value]])).toBe(false)
    }
  })

  it('finds whatever text an attribute has, when it is escaped as RFC 4514 2.4 wants it', () => {
    const printable = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/\p{Cs}/u.test(text))
    fc.assert(
      fc.property(printable, printable, (one, other) => {
        const written = `CN=${escapeValue(one)},O=${escapeValue(other)}`
        expect(
          matches(written, [
            [O, other],
            [CN, one],
          ]),
        ).toBe(true)
        if (one !== other)
          expect(
            matches(written, [
              [O, one],
              [CN, other],
            ]),
          ).toBe(false)
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    '',
    'CN',
    'CN=a,',
    ',CN=a',
    'CN=a,,O=b',
    'CN=a+',
    'CN=a, O=b',
    'CN = a',
    'CN= a',
    'CN=a ',
    'CN="a"',
    'CN=a;O=b',
    'CN=a\\',
    'CN=a\\z',
    'CN=<a>',
    'CN=#',
    'CN=#0',
    'CN=#zz',
    'CN=#0c05',
    'CN=#0c01610c0162',
    'CN=\\ff',
    'CN=\ud800',
    'CN=a\0b',
    'UNKNOWN=a',
    'constructor=a',
    '__proto__=a',
    '02.5=a',
    '2=a',
    '/CN=a/O=b',
    'C = DE, CN = a',
  ])('is none when it is %j', (text) => {
    expect(parseName(text)).toBeUndefined()
  })

  it('may hold an escaped space at either end, and an empty value', () => {
    expect(matches('CN=\\ a\\ ', [[CN, ' a ']])).toBe(true)
    expect(matches('CN=\\20a\\20', [[CN, ' a ']])).toBe(true)
    expect(matches('CN=', [[CN, '']])).toBe(true)
    expect(matches('CN=a=b', [[CN, 'a=b']])).toBe(true)
  })

  it('takes time in proportion to a long text', () => {
    const texts: ((length: number) => string)[] = [
      (length) => 'CN='.padEnd(length, 'a'),
      (length) => 'CN=a,'.repeat(length / 5),
      (length) => `CN=${'\\41'.repeat(length / 3)}`,
      (length) => `CN=${' '.repeat(length)}`,
    ]
    for (const text of texts) expect(growthOf((length) => parseName(text(length)), 12_000)).toBeLessThan(10)
  })
})

function escapeValue(value: string): string {
  const characters = [...value]
  return characters
    .map((one, at) => {
      const isEdge = at === 0 || at === characters.length - 1
      if (one === '\0') return '\\00'
      return '\\",+;<>'.includes(one) || (isEdge && one === ' ') || (at === 0 && one === '#')
        ? `\\${one}`
        : one
    })
    .join('')
}
