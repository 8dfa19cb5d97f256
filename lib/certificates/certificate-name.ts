import { isIP, isIPv6 } from 'node:net'
import type { AlternativeName, Certificate } from './certificate.js'
import { isSameName, parseName } from './distinguished-name.js'

/** A kind of name by which a client registers its certificate (RFC 8705 2.1.2). */
interface NameKind {
  /** The form of the registered text, for error messages. */
  readonly expected: string
  /** The name to look for if a client has registered none of this kind, so that the work is the same. */
  readonly decoy: string
  /** Makes a test for certificates from the registered text. `undefined` if the text does not have the expected form. */
  readonly matcher: (registered: string) => ((certificate: Certificate) => boolean) | undefined
}

/** The members of client metadata that name a certificate. A client registers one of them. */
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
        ? hasEntry('dns', (entry) => foldCase(entry) === registered.toLowerCase())
        : undefined,
  },
  tls_client_auth_san_uri: {
    expected: 'an absolute URI',
    decoy: 'urn:decoy:invalid',
    matcher: (registered) =>
      /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(registered)
        ? hasEntry('uri', (entry) => entry.toString('latin1') === registered)
        : undefined,
  },
  tls_client_auth_san_ip: {
    expected: 'an IP address',
    decoy: '::',
    matcher(registered) {
      const address = addressBytes(registered)
      return address && hasEntry('ip', (entry) => entry.equals(address))
    },
  },
  tls_client_auth_san_email: {
    expected: 'an email address',
    decoy: 'nobody@decoy.invalid',
    matcher: (registered) =>
      /^[\x21-\x3f\x41-\x7e]+@[\w.-]+$/.test(registered)
        ? hasEntry('email', (entry) => foldHost(entry) === foldHost(Buffer.from(registered)))
        : undefined,
  },
} as const satisfies Record<string, NameKind>

export type CertificateNameMember = keyof typeof CERTIFICATE_NAMES

export const CERTIFICATE_NAME_MEMBERS = Object.keys(CERTIFICATE_NAMES) as readonly CertificateNameMember[]

/**
 * Checks a member. Returns its expected form, or `undefined` if it is valid. An absent member takes as long as a present
 * one, because the decoy is checked instead.
 */
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
 * Whether a certificate has the registered name. Metadata with no name, or with several, match no certificate.
 *
 * It looks for names of all kinds, with decoys for those that are not registered. So time does not show whether a name is
 * registered, or of which kind.
 */
export function hasRegisteredName(
  certificate: Certificate,
  metadata: Readonly<Record<string, unknown>>,
): boolean {
  const results = CERTIFICATE_NAME_MEMBERS.map((member) => {
    const { decoy, matcher } = CERTIFICATE_NAMES[member]
    const { [member]: registered } = metadata
    const isText = typeof registered === 'string'
    const isFound = matcher(isText ? registered : decoy)?.(certificate) === true
    return { isRegistered: registered !== undefined, matches: isText && isFound }
  })
  const [name, ...others] = results.filter(({ isRegistered }) => isRegistered)
  return name?.matches === true && others.length === 0
}

function hasEntry(kind: AlternativeName, isSame: (entry: Buffer) => boolean) {
  return ({ alternativeNames }: Certificate) => alternativeNames[kind].some(isSame)
}

/** RFC 5280 7.2: the case of a host name does not matter. An octet that is not ASCII stays, so it matches no host name. */
function foldCase(entry: Buffer): string {
  return entry.toString('latin1').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** RFC 5280 7.5: the case of the part before the @ matters, that of the host does not. */
function foldHost(entry: Buffer): string {
  return entry
    .toString('latin1')
    .replace(/@[^@]*$/, (host) => host.replace(/[A-Z]/g, (letter) => letter.toLowerCase()))
}

/** The octets of an IP address, as in a certificate (RFC 5280 4.2.1.6). */
function addressBytes(text: string): Buffer | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined
  if (!isIPv6(text)) return Buffer.from(text.split('.').map(Number))
  // URL writes either eight groups or one ::, and never an IPv4 address at the end.
  const [left = '', right] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [head, tail] = [groups(left), groups(right ?? '')]
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}
