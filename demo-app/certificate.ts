/** The types of a GeneralName (RFC 5280 4.2.1.6). */
const DNS_NAME = 2
const IP_ADDRESS = 7

const LIFETIME_MILLISECONDS = 24 * 60 * 60 * 1000

/** A certificate and its private key, both as PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** Creates a self-signed certificate for localhost. It stays in memory and expires after a day. */
export async function localhostCertificate(): Promise<Certificate> {
  // Workers get the certificate of their primary process, so they do not load this package.
  const { generate } = await import('selfsigned')
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + LIFETIME_MILLISECONDS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: DNS_NAME, value: 'localhost' },
          { type: IP_ADDRESS, ip: '127.0.0.1' },
          { type: IP_ADDRESS, ip: '::1' },
        ],
      },
    ],
  })
  return { key: made.private, cert: made.cert }
}
