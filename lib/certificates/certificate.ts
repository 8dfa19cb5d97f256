import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import {
  childrenOf,
  type DerElement,
  DerFault,
  readElements,
  readObjectIdentifier,
  readOnly,
  TAGS,
} from './der.js'
import { type DistinguishedName, readName } from './distinguished-name.js'

/** The parts of a certificate that we read. Its signature is not verified here: the TLS layer does that. */
export interface Certificate {
  /** NumericDate. */
  readonly notBefore: number
  /** NumericDate. */
  readonly notAfter: number
  readonly subject: DistinguishedName
  /** The octets of each entry of the subjectAltName, by kind (RFC 5280 4.2.1.6). */
  readonly alternativeNames: Readonly<Record<AlternativeName, readonly Buffer[]>>
  /** The SubjectPublicKeyInfo, in DER. */
  readonly publicKeyInfo: Buffer
}

/** The context-specific tags of GeneralName. */
const ALTERNATIVE_NAMES = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const
export type AlternativeName = keyof typeof ALTERNATIVE_NAMES

/** The `x5t#S256` of a certificate: SHA-256 of the DER, in base64url (RFC 8705 3.1). */
export function certificateThumbprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url')
}

/** In octets. TLS accepts 100 KB from anybody, once per connection. We would parse that again for each request. */
const LONGEST_CERTIFICATE = 16_384

/**
 * Parses a certificate (RFC 5280 4.1). It reads the DER and not the text that Node makes of it: a name can contain
 * separators and quotes, so that text is ambiguous.
 *
 * @returns `undefined` if it is malformed, too long, or followed by other octets
 */
export function readCertificate(der: Uint8Array): Certificate | undefined {
  if (der.length > LONGEST_CERTIFICATE) return undefined
  try {
    const whole = readOnly(Buffer.from(der), TAGS.sequence)
    const [toBeSigned, algorithm, signature, ...others] = readElements(whole.content)
    if (algorithm === undefined || signature === undefined || others.length > 0) return undefined
    return readToBeSigned(childrenOf(toBeSigned, TAGS.sequence))
  } catch (fault) {
    if (fault instanceof DerFault) return undefined
    throw fault
  }
}

const VERSION = 0xa0
const EXTENSIONS = 0xa3

function readToBeSigned(members: readonly DerElement[]): Certificate {
  const [, , , validity, subject, publicKey, ...optional] =
    members[0]?.tag === VERSION ? members.slice(1) : members
  if (publicKey?.tag !== TAGS.sequence) throw new DerFault()
  const [notBefore, notAfter, ...others] = childrenOf(validity, TAGS.sequence)
  if (others.length > 0) throw new DerFault()
  return {
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    subject: readName(subject),
    alternativeNames: readAlternativeNames(optional.filter(({ tag }) => tag === EXTENSIONS)),
    publicKeyInfo: publicKey.bytes,
  }
}

/** Reads a time as a NumericDate. RFC 5280 4.1.2.5: it has seconds, and is in UTC. A year from 50 on is in the 1900s. */
function readTime(element: DerElement | undefined): number {
  const text = element?.content.toString('latin1') ?? ''
  const century = element?.tag === TAGS.utcTime ? (text < '50' ? '20' : '19') : ''
  const isTime = element?.tag === TAGS.utcTime || element?.tag === TAGS.generalizedTime
  const [, date, time] = /^(\d{8})(\d{6})Z$/.exec(century + text) ?? []
  if (!isTime || date === undefined || time === undefined) throw new DerFault()
  const written = `${date.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}.000Z`
  const milliseconds = Date.parse(written)
  // Date takes the 31st of February for a day in March.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString() !== written) throw new DerFault()
  return milliseconds / 1000
}

const SUBJECT_ALT_NAME = '2.5.29.17'

function readAlternativeNames(extensions: readonly DerElement[]): Certificate['alternativeNames'] {
  const list = extensions.flatMap(({ content }) =>
    childrenOf(readOnly(content, TAGS.sequence), TAGS.sequence),
  )
  const values = list.flatMap((extension) => {
    const [id, ...rest] = childrenOf(extension, TAGS.sequence)
    const value = rest.at(-1)
    if (readObjectIdentifier(id) !== SUBJECT_ALT_NAME) return []
    if (value?.tag !== TAGS.octetString) throw new DerFault()
    return [value.content]
  })
  // RFC 5280 4.2: an extension must not be repeated. Parsers disagree about which of two to use.
  if (values.length > 1) throw new DerFault()
  const [value] = values
  const names = value === undefined ? [] : childrenOf(readOnly(value, TAGS.sequence), TAGS.sequence)
  const of = (kind: AlternativeName) =>
    names.filter(({ tag }) => tag === ALTERNATIVE_NAMES[kind]).map(({ content }) => content)
  return { email: of('email'), dns: of('dns'), uri: of('uri'), ip: of('ip') }
}

/** Whether a certificate is valid at a NumericDate, within the clock tolerance in seconds (RFC 5280 4.1.2.5). */
export function isValidAt({ notBefore, notAfter }: Certificate, seconds: number, tolerance: number): boolean {
  return seconds >= notBefore - tolerance && seconds <= notAfter + tolerance
}

/** The public key of a certificate. `undefined` if Node does not support its type. */
export function certificateKey({ publicKeyInfo }: Certificate): KeyObject | undefined {
  try {
    return createPublicKey({ key: publicKeyInfo, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}
