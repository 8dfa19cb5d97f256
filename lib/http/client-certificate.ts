import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { PresentedCertificate } from '../base/request.js'
import { certificateThumbprint, readCertificate } from '../certificates/certificate.js'
import type { MtlsRules } from '../options/mtls.js'
import type { Advise } from './advice.js'
import type { TrustedProxies } from './trusted-proxies.js'
import type { PresentedTls, ReadTls } from './wire.js'

/** Longer certificates are refused before they are decoded. Node accepts 16 KiB of headers in total. */
const LONGEST_HEADER = 16_384

/**
 * Makes the reader of client certificates. If the sender is one of `mtls.proxies`, the reader uses the header only: the
 * connection then has the certificate of the proxy itself. A proxy that Express trusts may also have one. For every
 * other sender the reader uses the certificate of the connection.
 *
 * @param parts `advise` warns the operator about an ignored header
 */
export function certificateReader(
  { isProxy, proxyVerifies }: MtlsRules,
  { advise, proxies }: { readonly advise: Advise; readonly proxies: TrustedProxies },
): ReadTls {
  const ofConnection = connectionReader()

  return function readClientCertificate(req, { clientCert, isForwarded }) {
    // Use the peer of the connection: X-Forwarded-For cannot prove that a proxy sent the certificate.
    if (isProxy(req.socket.remoteAddress)) return readHeader(clientCert, proxyVerifies)
    if (clientCert.length > 0) advise(STRANGER, 'EPK_CLIENT_CERT')
    // The connection of a forwarded request has the certificate of the proxy. All clients behind it would share it.
    return { certificate: isForwarded && proxies.hasSent(req) ? undefined : ofConnection(req.socket) }
  }
}

const STRANGER =
  'A request has a Client-Cert header, but its sender is not among mtls.proxies, so the header is ignored. If TLS ends at ' +
  'a proxy of yours, name it there, and let it remove what comes under this name from outside.'

/** RFC 9440 2.2: one Byte Sequence (RFC 8941 3.3.5) with the DER of the certificate. */
function readHeader([field, ...others]: readonly string[], trusted: boolean): PresentedTls {
  if (field === undefined) return { certificate: undefined }
  const malformed = (what: string) => ({
    certificate: undefined,
    certificateFault: `The Client-Cert header ${what}.`,
  })
  if (others.length > 0) return malformed('is there more than once')
  const [, base64 = ''] = field.length <= LONGEST_HEADER ? (/^:([a-z0-9+/]+={0,2}):$/i.exec(field) ?? []) : []
  const der = Buffer.from(base64, 'base64')
  const isCanonical = der.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '')
  if (der.length === 0 || !isCanonical) return malformed('is not base64 between colons (RFC 9440)')
  if (readCertificate(der) === undefined) return malformed('is not a certificate in DER')
  return { certificate: Object.freeze({ der, thumbprint: certificateThumbprint(der), trusted }) }
}

/** Reads the certificate of a connection once, for all its requests. */
function connectionReader(): (socket: Socket) => PresentedCertificate | undefined {
  const known = new WeakMap<Socket, PresentedCertificate>()
  return (socket) => {
    const remembered = known.get(socket)
    if (remembered !== undefined || !isTls(socket)) return remembered
    const der = socket.getPeerX509Certificate()?.raw
    if (der === undefined) return undefined
    // Node does not update `authorized` when a client renegotiates with a certificate that fails verification.
    const trusted = socket.authorized === true && !socket.authorizationError
    const presented = Object.freeze({ der, thumbprint: certificateThumbprint(der), trusted })
    known.set(socket, presented)
    return presented
  }
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'getPeerX509Certificate' in socket && typeof socket.getPeerX509Certificate === 'function'
}
