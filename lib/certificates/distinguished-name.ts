import { childrenOf, type DerElement, DerFault, readElements, readObjectIdentifier, TAGS } from './der.js'

/**
 * A distinguished name: its RDNs from the root down, each the sorted list of its attributes. An attribute is the JSON
 * of its type and value, so that no text in one can pass for another.
 */
export type DistinguishedName = readonly (readonly string[])[]

/** Whether two names are the same, attribute by attribute and in the same order. */
export function isSameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Reads the name in a certificate (RFC 5280 4.1.2.4). @throws DerFault when it is not one */
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

/** A text, whichever kind of string it is written in; and of anything else, the bytes. */
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

// A TeletexString is read in more than one way, so it is compared by its bytes.
const ASCII_STRINGS: readonly number[] = [TAGS.printableString, TAGS.ia5String, TAGS.numericString]

const EXACT = { fatal: true, ignoreBOM: true } as const

/** Made once, because making one takes longer than reading a name with it. */
const UTF_8 = new TextDecoder('utf-8', EXACT)

/** The short names of attribute types: those of RFC 4514 3, and those that tools print (RFC 4519, RFC 5280 A.1). */
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

/** An attribute of a name as RFC 4514 3 writes it, and what comes after it. */
const ATTRIBUTE =
  /([a-z][a-z0-9-]*|(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+)=((?:[^\\",+;<>\0]|\\[\\",+;<> #=]|\\[0-9a-f]{2})*)([,+]|$)/giy

/** Reads a name as RFC 4514 writes it: the last RDN first. `undefined` when it is not one, or nobody's: empty. */
export function parseName(text: string): DistinguishedName | undefined {
  // Lone surrogates have no UTF-8.
  if (/\p{Cs}/u.test(text)) return undefined
  const rdns: string[][] = [[]]
  let rest = text.length
  let last: string | undefined
  for (const [all, type = '', raw = '', separator] of text.matchAll(ATTRIBUTE)) {
    const identifier = /^\d/.test(type) ? type : TYPES[type.toUpperCase()]
    const value = parseValue(raw)
    if (identifier === undefined || value === undefined) return undefined
    rdns.at(-1)?.push(attributeOf(identifier, value))
    if (separator === ',') rdns.push([])
    rest -= all.length
    last = separator
  }
  return rest === 0 && last === '' ? rdns.reverse().map((rdn) => rdn.sort()) : undefined
}

function parseValue(raw: string): readonly ['text' | 'der', string] | undefined {
  if (raw.startsWith('#')) return parseHexValue(raw.slice(1))
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
