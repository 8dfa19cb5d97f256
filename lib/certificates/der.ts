/** One element of DER (X.690): its identifier octet, what is in it, and all of it as it stands. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
  readonly bytes: Buffer
}

/** The identifier octets of what occurs in a certificate. */
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

/** Bytes that are not what was to be read from them. Never leaves what reads them. */
export class DerFault extends Error {}

/** Takes bytes apart into the elements they consist of, to the last byte; nothing but DER is accepted. */
export function readElements(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length; ) {
    const element = readElement(bytes.subarray(at))
    elements.push(element)
    at += element.bytes.length
  }
  return elements
}

/** The one element that bytes consist of. */
export function readOnly(bytes: Buffer, tag: number): DerElement {
  const [element, ...others] = readElements(bytes)
  if (element?.tag !== tag || others.length > 0) throw new DerFault()
  return element
}

/** The elements in a constructed one. */
export function childrenOf(element: DerElement | undefined, tag: number): readonly DerElement[] {
  if (element?.tag !== tag) throw new DerFault()
  return readElements(element.content)
}

function readElement(bytes: Buffer): DerElement {
  const [tag = 0, first = 0x80] = bytes
  // Identifiers of more than one octet occur nowhere here, and a length must be definite (X.690 10.1).
  if ((tag & 0x1f) === 0x1f || first === 0x80) throw new DerFault()
  const octets = first < 0x80 ? 0 : first & 0x7f
  const start = 2 + octets
  if (octets > 3 || bytes.length < start) throw new DerFault()
  const length = octets === 0 ? first : bytes.readUIntBE(2, octets)
  // In the fewest octets that are possible (X.690 10.1).
  const isShortest = octets === 0 || length >= (octets === 1 ? 0x80 : 2 ** (8 * (octets - 1)))
  if (!isShortest || bytes.length < start + length) throw new DerFault()
  return { tag, content: bytes.subarray(start, start + length), bytes: bytes.subarray(0, start + length) }
}

/** No identifier in use comes near it. The time that one takes grows with the square of its length. */
const LONGEST_OBJECT_IDENTIFIER = 64

/** An object identifier in its dotted form (X.690 8.19). */
export function readObjectIdentifier(element: DerElement | undefined): string {
  if (element?.tag !== TAGS.objectIdentifier || element.content.length === 0) throw new DerFault()
  if (element.content.length > LONGEST_OBJECT_IDENTIFIER) throw new DerFault()
  const arcs: bigint[] = []
  let arc = 0n
  let isAtStart = true
  for (const octet of element.content) {
    if (isAtStart && octet === 0x80) throw new DerFault()
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    isAtStart = octet < 0x80
    if (!isAtStart) continue
    arcs.push(arc)
    arc = 0n
  }
  if (!isAtStart) throw new DerFault()
  const [both = 0n, ...rest] = arcs
  const root = both < 80n ? both / 40n : 2n
  return [root, both - root * 40n, ...rest].join('.')
}
