/** An element of DER (X.690). */
export interface DerElement {
  /** The identifier octet. */
  readonly tag: number
  readonly content: Buffer
  /** The whole element: identifier, length and content. */
  readonly bytes: Buffer
}

/** The identifier octets of the elements in certificates. */
export const TAGS = {
  boolean: 0x01,
  objectIdentifier: 0x06,
  octetString: 0x04,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  numericString: 0x12,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
} as const

/** Malformed DER. `readCertificate` and `parseName` catch it. */
export class DerFault extends Error {}

/** Splits bytes into elements, to the last byte. It accepts only DER, not every BER. @throws DerFault */
export function readElements(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length; ) {
    const element = readElement(bytes.subarray(at))
    elements.push(element)
    at += element.bytes.length
  }
  return elements
}

/** Reads bytes that consist of one element with this tag. @throws DerFault */
export function readOnly(bytes: Buffer, tag: number): DerElement {
  const [element, ...others] = readElements(bytes)
  if (element?.tag !== tag || others.length > 0) throw new DerFault()
  return element
}

/** Reads the elements in an element with this tag. @throws DerFault */
export function childrenOf(element: DerElement | undefined, tag: number): readonly DerElement[] {
  if (element?.tag !== tag) throw new DerFault()
  return readElements(element.content)
}

function readElement(bytes: Buffer): DerElement {
  const [tag = 0, first = 0x80] = bytes
  // Certificates have no identifiers of more than one octet. A length must be definite (X.690 10.1).
  if ((tag & 0x1f) === 0x1f || first === 0x80) throw new DerFault()
  const octets = first < 0x80 ? 0 : first & 0x7f
  const start = 2 + octets
  if (octets > 3 || bytes.length < start) throw new DerFault()
  const length = octets === 0 ? first : bytes.readUIntBE(2, octets)
  // A length must have the fewest octets that are possible (X.690 10.1).
  const isShortest = octets === 0 || length >= (octets === 1 ? 0x80 : 2 ** (8 * (octets - 1)))
  if (!isShortest || bytes.length < start + length) throw new DerFault()
  return { tag, content: bytes.subarray(start, start + length), bytes: bytes.subarray(0, start + length) }
}

/** In octets. Real identifiers are much shorter. The time to read one grows with the square of its length. */
const LONGEST_OBJECT_IDENTIFIER = 64

/** Reads an object identifier as dotted text (X.690 8.19). @throws DerFault */
export function readObjectIdentifier(element: DerElement | undefined): string {
  if (element?.tag !== TAGS.objectIdentifier || element.content.length === 0) throw new DerFault()
  if (element.content.length > LONGEST_OBJECT_IDENTIFIER) throw new DerFault()
  const arcs: bigint[] = []
  let arc = 0n
  let isAtStart = true
  for (const octet of element.content) {
    // A leading zero would give one identifier two spellings.
    if (isAtStart && octet === 0x80) throw new DerFault()
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    isAtStart = octet < 0x80
    if (!isAtStart) continue
    arcs.push(arc)
    arc = 0n
  }
  if (!isAtStart) throw new DerFault()
  // The first number encodes two arcs: 40 times the first, plus the second.
  const [both = 0n, ...rest] = arcs
  const root = both < 80n ? both / 40n : 2n
  return [root, both - root * 40n, ...rest].join('.')
}
