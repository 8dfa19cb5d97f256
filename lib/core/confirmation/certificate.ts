import { createHash, type X509Certificate } from 'node:crypto'

/** A client certificate as presented, by TLS itself or by a proxy that ended it. */
export interface PresentedCertificate {
  readonly certificate: X509Certificate
  /** Whether its chain was verified against the authorities the server or the proxy trusts. */
  readonly verified: boolean
}

/** `x5t#S256` (RFC 8705 3.1): SHA-256 of the DER encoding, base64url. */
export function certificateThumbprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}

/** The subject alternative names a client can be known by (RFC 8705 2.1.2). */
export interface CertificateName {
  readonly subjectDn?: string
  readonly sanDns?: string
  readonly sanUri?: string
  readonly sanIp?: string
  readonly sanEmail?: string
}

const SAN_PREFIXES: Readonly<Record<string, string>> = {
  sanDns: 'DNS:',
  sanUri: 'URI:',
  sanIp: 'IP Address:',
  sanEmail: 'email:',
}

/** Names separated by commas; Node quotes a name that holds one, which must not be taken for two. */
const ALTERNATIVE_NAMES = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g

/** Whether a certificate bears the one name that is expected (RFC 8705 2.1). */
export function bearsName(certificate: X509Certificate, expected: CertificateName): boolean {
  if (expected.subjectDn !== undefined) return isSameName(certificate.subject, expected.subjectDn)
  const [kind, name] = Object.entries(expected)[0] ?? []
  const prefix = SAN_PREFIXES[kind ?? '']
  if (prefix === undefined || name === undefined || name === '') return false
  const names = certificate.subjectAltName?.match(ALTERNATIVE_NAMES) ?? []
  return names.some((one) => one.trim() === `${prefix}${name}`)
}

/** Node writes one attribute a line, the most general first; RFC 4514 the other way round, separated by commas. */
function isSameName(subject: string | undefined, expected: string): boolean {
  const own = (subject ?? '').split('\n').filter((line) => line !== '').reverse()
  const wanted = expected.split(/(?<!\\),/).map((part) => part.trim())
  return own.length > 0 && own.length === wanted.length && own.every((part, i) => normalizeAttribute(part) === normalizeAttribute(wanted[i] ?? ''))
}

function normalizeAttribute(attribute: string): string {
  const [type = '', ...value] = attribute.split('=')
  return `${type.trim().toUpperCase()}=${value.join('=').trim()}`
}
