import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { element, objectIdentifier, sequence, text } from './der.js'

/** An attribute of a name: its type, its value, and the kind of its string (default: UTF8String). */
export type Attribute = readonly [type: string, value: string | Uint8Array, tag?: number | undefined]

/** An entry of a subjectAltName, byte for byte. */
export type AlternativeEntry = readonly [kind: 'email' | 'dns' | 'uri' | 'ip', value: string | Uint8Array]

/** The content of a certificate. */
export interface CertificatePlan {
  /** The RDNs, beginning at the root. A list of attributes is one RDN with several values. Default: a common name. */
  readonly subject?: readonly (Attribute | readonly Attribute[])[]
  readonly names?: readonly AlternativeEntry[]
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** The certificate of the signer. Default: the certificate itself. */
  readonly issuer?: IssuedCertificate
  readonly isAuthority?: boolean
  readonly key?: KeyObject
  readonly publicKey?: KeyObject
  /** More extensions, in DER. */
  readonly extensions?: readonly Uint8Array[]
}

/** A certificate and its key, in the forms that servers and clients want. */
export interface IssuedCertificate {
  readonly der: Buffer
  readonly cert: string
  readonly key: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly thumbprint: string
  readonly subject: Buffer
}

export const TYPES = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
} as const

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))
const KINDS = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const
const HOUR = 3_600_000

/** Makes a certificate with any content, also with content that a tool would reject. */
export function makeCertificate(plan: CertificatePlan = {}): IssuedCertificate {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { key: privateKey = pair.privateKey, publicKey = pair.publicKey, issuer, isAuthority = false } = plan
  const subject = name(plan.subject ?? [[TYPES.CN, 'client']])
  const toBeSigned = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    issuer?.subject ?? subject,
    sequence(
      time(plan.notBefore ?? new Date(Date.now() - HOUR)),
      time(plan.notAfter ?? new Date(Date.now() + HOUR)),
    ),
    subject,
    publicKey.export({ format: 'der', type: 'spki' }),
    element(0xa3, sequence(...extensions(plan, isAuthority))),
  )
  const signature = sign('sha256', toBeSigned, issuer?.privateKey ?? privateKey)
  const der = sequence(toBeSigned, ECDSA_WITH_SHA256, element(0x03, Buffer.from([0]), signature))
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n')
  return {
    der,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    privateKey,
    publicKey,
    thumbprint: createHash('sha256').update(der).digest('base64url'),
    subject,
  }
}

/** An authority that signs certificates. */
export function makeAuthority(commonName = 'Test CA', plan: CertificatePlan = {}): IssuedCertificate {
  return makeCertificate({ subject: [[TYPES.CN, commonName]], isAuthority: true, ...plan })
}

function name(rdns: NonNullable<CertificatePlan['subject']>): Buffer {
  const isMany = (rdn: Attribute | readonly Attribute[]): rdn is readonly Attribute[] => Array.isArray(rdn[0])
  const written = rdns.map((rdn) => {
    const attributes = (isMany(rdn) ? rdn : [rdn]).map(([type, value, tag]) =>
      sequence(objectIdentifier(type), text(value, tag)),
    )
    return element(0x31, ...attributes.sort(Buffer.compare))
  })
  return sequence(...written)
}

/** RFC 5280 4.1.2.5: UTCTime until 2049, then GeneralizedTime. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '')
  return date.getUTCFullYear() < 2050 ? text(digits.slice(2), 0x17) : text(digits, 0x18)
}

function extensions(
  { names = [], extensions: more = [] }: CertificatePlan,
  isAuthority: boolean,
): Uint8Array[] {
  const critical = element(0x01, Buffer.from([0xff]))
  const constraints = sequence(...(isAuthority ? [critical] : []))
  return [
    sequence(objectIdentifier('2.5.29.19'), critical, element(0x04, constraints)),
    ...(names.length > 0 ? [alternativeNames(names)] : []),
    ...more,
  ]
}

export function alternativeNames(names: readonly AlternativeEntry[]): Buffer {
  const entries = names.map(([kind, value]) => text(value, KINDS[kind]))
  return sequence(objectIdentifier('2.5.29.17'), element(0x04, sequence(...entries)))
}
