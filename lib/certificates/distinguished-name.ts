import { childrenOf, type DerElement, DerFault, readElements, readObjectIdentifier, TAGS } from './der.js'

/**
 * A distinguished name: its RDNs from the root down. An RDN is the sorted list of its attributes. An attribute is the JSON
 * of its type and value, so no text in a value can look like another attribute.
 */
export type DistinguishedName = readonly (readonly string[])[]

/** Whether two names have the same RDNs in the same order. Values are compared with their case. */
export function isSameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Reads a name in a certificate (RFC 5280 4.1.2.4). @throws DerFault if it is malformed */
export function readName(element: DerElement | undefined): DistinguishedName {
  return childrenOf(element, TAGS.sequence).map((rdn) => {
    const attributes = childrenOf(rdn, TAGS.set).map((attribute) => {
      const [type, value, ...others] = childrenOf(attribute, TAGS.sequence)
      if (value === undefined || others.length > 0) throw new DerFault()
      return attributeOf(readObjectIdentifier(type), canonicalValue(value))
    })
    if (attributes.length === 0) throw new DerFault()
    return attributes.sort()
  })
}

function attributeOf(type: string, [kind, value]: readonly [string, string]): string {
  return JSON.stringify([type, kind, value])
}

/** The text of a string of any type, and the DER of any other value. */
function canonicalValue(element: DerElement): readonly ['text' | 'der', string] {
  const text = textOf(element)
  return text === undefined ? ['der', element.bytes.toString('hex')] : ['text', text]
}

function textOf({ tag, content }: DerElement): string | undefined {
  try {
    if (tag === TAGS.utf8String) return UTF_8.decode(content)
    if (tag === TAGS.bmpString)
      return new TextDecoder('utf-16le', EXACT).decode(Buffer.from(content).swap16())
  } catch {
    return undefined
  }
  const isAscii = content.every((octet) => octet < 0x80)
  return ASCII_STRINGS.includes(tag) && isAscii ? content.toString('latin1') : undefined
}

// TeletexString is missing, because readers disagree about its characters. It is compared by its DER.
const ASCII_STRINGS: readonly number[] = [TAGS.printableString, TAGS.ia5String, TAGS.numericString]

const EXACT = { fatal: true, ignoreBOM: true } as const

/** Made once, because that takes longer than decoding a name. */
const UTF_8 = new TextDecoder('utf-8', EXACT)

/** The short names of attribute types: those of RFC 4514 3, and others that tools print (RFC 4519, RFC 5280 A.1). */
const TYPES: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  SN: '2.5.4.4',
  SERIALNUMBER: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  STREET: '2.5.4.9',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  TITLE: '2.5.4.12',
  BUSINESSCATEGORY: '2.5.4.15',
  POSTALCODE: '2.5.4.17',
  GN: '2.5.4.42',
  DNQUALIFIER: '2.5.4.46',
  ORGANIZATIONIDENTIFIER: '2.5.4.97',
  UID: '0.9.2342.19200300.100.1.1',
  DC: '0.9.2342.19200300.100.1.25',
  EMAILADDRESS: '1.2.840.113549.1.9.1',
}

/** An attribute in the notation of RFC 4514 3, and the separator after it. */
const ATTRIBUTE =
  /([a-z][a-z0-9-]*|(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+)=((?:[^\\",+;<>\0]|\\[\\",+;<> #=]|\\[0-9a-f]{2})*)([,+]|$)/giy

/** Parses a name in the notation of RFC 4514, which has the last RDN first. `undefined` if it is malformed or empty. */
export function parseName(text: string): DistinguishedName | undefined {
  // Lone surrogates cannot be encoded in UTF-8.
  if (/\p{Cs}/u.test(text)) return undefined
  const rdns: string[][] = [[]]
  // The pattern is sticky, so an invalid part ends the loop and leaves characters unread.
  let unread = text.length
  let last: string | undefined
  for (const [all, type = '', raw = '', separator] of text.matchAll(ATTRIBUTE)) {
    const identifier = /^\d/.test(type) ? type : TYPES[type.toUpperCase()]
    const value = parseValue(raw)
    if (identifier === undefined || value === undefined) return undefined
    rdns.at(-1)?.push(attributeOf(identifier, value))
    if (separator === ',') rdns.push([])
    unread -= all.length
    last = separator
  }
  return unread === 0 && last === '' ? rdns.reverse().map((rdn) => rdn.sort()) : undefined
}

function parseValue(raw: string): readonly ['text' | 'der', string] | undefined {
  if (raw.startsWith('#')) return parseHexValue(raw.slice(1))
  // RFC 4514 2.4: a space at either end must be escaped.
  const unescaped = raw.replace(/\\./gs, 'x')
  if (unescaped.startsWith(' ') || unescaped.endsWith(' ')) return undefined
  const octets = Buffer.from(raw)
    .toString('latin1')
    .replace(/\\(?:([0-9a-f]{2})|(.))/gis, (_, hex?: string, special = '') =>
      hex === undefined ? special : String.fromCharCode(Number.parseInt(hex, 16)),
    )
  try {
    return ['text', UTF_8.decode(Buffer.from(octets, 'latin1'))]
  } catch {
    return undefined
  }
}

function parseHexValue(hex: string): readonly ['text' | 'der', string] | undefined {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) return undefined
  try {
    const [element, ...others] = readElements(Buffer.from(hex, 'hex'))
    return element === undefined || others.length > 0 ? undefined : canonicalValue(element)
  } catch {
    return undefined
  }
}
