import { isIP, isIPv6 } from 'node:net'
import type { AlternativeName, Certificate } from './certificate.js'
import { isSameName, parseName } from './distinguished-name.js'

/** How a client's certificate is told from others of the same authority (RFC 8705 2.1.2). */
interface NameKind {
  readonly expected: string
  /** A name that is looked for if a client has registered none of this kind. */
  readonly decoy: string
  /** Makes the judge of certificates from the registered text; `undefined` when that is not what it has to be. */
  readonly matcher: (registered: string) => ((certificate: Certificate) => boolean) | undefined
}

/** The members of client metadata that name a client's certificate; a client has exactly one of them. */
export const CERTIFICATE_NAMES = {
  tls_client_auth_subject_dn: {
    expected: 'a distinguished name as RFC 4514 writes it, such as CN=sensor-7,O=Example\\, Inc.,C=DE',
    decoy: 'CN=decoy,OU=Nobody,O=Nowhere,C=ZZ',
    matcher(registered) {
      const name = parseName(registered)
      return name && (({ subject }) => isSameName(name, subject))
    },
  },
  tls_client_auth_san_dns: {
    expected: 'a host name without a wildcard',
    decoy: 'decoy.invalid',
    matcher: (registered) =>
      /^(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*$/.test(registered)
        ? holds('dns', (entry) => foldCase(entry) === registered.toLowerCase())
        : undefined,
  },
  tls_client_auth_san_uri: {
    expected: 'an absolute URI',
    decoy: 'urn:decoy:invalid',
    matcher: (registered) =>
      /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(registered)
        ? holds('uri', (entry) => entry.toString('latin1') === registered)
        : undefined,
  },
  tls_client_auth_san_ip: {
    expected: 'an IP address',
    decoy: '::',
    matcher(registered) {
      const address = addressBytes(registered)
      return address && holds('ip', (entry) => entry.equals(address))
    },
  },
  tls_client_auth_san_email: {
    expected: 'an email address',
    decoy: 'nobody@decoy.invalid',
    matcher: (registered) =>
      /^[\x21-\x3f\x41-\x7e]+@[\w.-]+$/.test(registered)
        ? holds('email', (entry) => foldHost(entry) === foldHost(Buffer.from(registered)))
        : undefined,
  },
} as const satisfies Record<string, NameKind>

export type CertificateNameMember = keyof typeof CERTIFICATE_NAMES

export const CERTIFICATE_NAME_MEMBERS = Object.keys(CERTIFICATE_NAMES) as readonly CertificateNameMember[]

/** What is expected of a member, when it is not that. If it is absent, its decoy is judged, which takes as long. */
export function certificateNameFault(
  member: CertificateNameMember,
  value: unknown = CERTIFICATE_NAMES[member].decoy,
): string | undefined {
  const { expected, matcher } = CERTIFICATE_NAMES[member]
  const fits = typeof value === 'string' && value.length <= LONGEST_NAME && matcher(value) !== undefined
  return fits ? undefined : expected
}

const LONGEST_NAME = 1024

/**
 * Whether a certificate has the one name that is registered; metadata with none of them, or several, match nothing.
 *
 * Names of all kinds are looked for, and decoys stand in for those that are not registered. So time does not tell whether
 * a name is registered, nor of which kind.
 */
export function hasRegisteredName(
  certificate: Certificate,
  metadata: Readonly<Record<string, unknown>>,
): boolean {
  const judged = CERTIFICATE_NAME_MEMBERS.map((member) => {
    const { decoy, matcher } = CERTIFICATE_NAMES[member]
    const { [member]: registered } = metadata
    const isText = typeof registered === 'string'
    const isThere = matcher(isText ? registered : decoy)?.(certificate) === true
    return { isRegistered: registered !== undefined, holds: isText && isThere }
  })
  const [name, ...others] = judged.filter(({ isRegistered }) => isRegistered)
  return name?.holds === true && others.length === 0
}

function holds(kind: AlternativeName, isSame: (entry: Buffer) => boolean) {
  return ({ alternativeNames }: Certificate) => alternativeNames[kind].some(isSame)
}

/** RFC 5280 7.2: host names without regard to case. An octet that is not ASCII stays what it is, and equals nothing. */
function foldCase(entry: Buffer): string {
  return entry.toString('latin1').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** RFC 5280 7.5: the case of the part before the @ counts. */
function foldHost(entry: Buffer): string {
  return entry
    .toString('latin1')
    .replace(/@[^@]*$/, (host) => host.replace(/[A-Z]/g, (letter) => letter.toLowerCase()))
}

/** The octets of an address, as a certificate has them (RFC 5280 4.2.1.6). */
function addressBytes(text: string): Buffer | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined
  if (!isIPv6(text)) return Buffer.from(text.split('.').map(Number))
  // URL writes it with eight groups or one ::, and never with an IPv4 address at its end.
  const [left = '', right] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [head, tail] = [groups(left), groups(right ?? '')]
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}
