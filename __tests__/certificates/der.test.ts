import { DerFault, readElements, readObjectIdentifier, readOnly, TAGS } from '../../lib/certificates/der.js'
import { element, objectIdentifier } from '../support/der.js'

const read = (bytes: Buffer) => readObjectIdentifier(readOnly(bytes, TAGS.objectIdentifier))

describe('readObjectIdentifier', () => {
  it.each([
    '0.9.2342.19200300.100.1.1',
    '1.2.840.113549.1.9.1',
    '2.5.4.3',
    '2.999.1',
    '2.25.329800735698586629295641978511506172918',
  ])('reads %s', (dotted) => expect(read(objectIdentifier(dotted))).toBe(dotted))

  it.each([
    ['nothing', ''],
    ['an arc with an octet more than it takes', '558004'],
    ['a first arc with an octet more than it takes', '80550403'],
    ['an arc that does not end', '5504ff'],
  ])('refuses %s, so that one identifier has one spelling', (_, hex) => {
    expect(() => read(element(TAGS.objectIdentifier, Buffer.from(hex, 'hex')))).toThrow(DerFault)
  })
})

describe('readElements', () => {
  it('reads one after another to the last byte, of any length', () => {
    const contents = [0, 1, 127, 128, 255, 256, 65_535, 65_536].map((length) => Buffer.alloc(length, 7))
    const bytes = Buffer.concat(contents.map((content) => element(TAGS.octetString, content)))
    expect(readElements(bytes).map(({ content }) => content)).toEqual(contents)
    expect(readElements(Buffer.alloc(0))).toEqual([])
  })

  it.each([
    ['an identifier of several octets', '1f0100'],
    ['an identifier alone', '30'],
    ['an indefinite length', '3080020101'],
    ['a length in an octet more than it takes', '04810107'],
    ['a length in two octets more than it takes', '0482008007'],
    ['a length of four octets', '048400000001'],
    ['a length that does not end', '0482'],
    ['content that does not end', '0402aa'],
    ['something after the last element', '0401aa04'],
  ])('refuses %s', (_, hex) => {
    expect(() => readElements(Buffer.from(hex, 'hex'))).toThrow(DerFault)
  })
})
