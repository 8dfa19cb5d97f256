import type { Reason } from '../../base/errors.js'
import type { PresentedCertificate } from '../../base/request.js'
import { type Certificate, isValidAt, readCertificate } from '../../certificates/certificate.js'
import { hasRegisteredName } from '../../certificates/certificate-name.js'
import type { Client } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import { CERTIFICATE_METHODS } from '../../ports/methods.js'
import { isRegistered, type NamedCertificate } from '../registered-certificates.js'
import { type Fault, METHOD_REFUSED, type ReadCredentials } from './credentials.js'

type CertificateMethod = (typeof CERTIFICATE_METHODS)[number]

/** The certificate of a connection: parsed, and in the forms in which clients register it. */
interface Presented extends PresentedCertificate, NamedCertificate {
  /** `undefined` if it cannot be parsed. */
  readonly read: Certificate | undefined
}

/**
 * `tls_client_auth` and `self_signed_tls_client_auth`: the certificate of the connection proves the identity of the client
 * in `client_id` (RFC 8705 2). Call it last: a connection can have a certificate besides other credentials.
 */
export const readClientCertificate: ReadCredentials = ({ authorization, certificate }, parameters) => {
  const clientId = parameters.get('client_id')
  if (certificate === undefined || clientId === undefined || authorization.length > 0) return undefined
  const presented = presentedAs(certificate)
  return {
    clientId,
    methodFor: (client) => methodFor(client, presented),
    provenKey: () => ({ certificate: certificate.thumbprint }),
    check(deployment, client) {
      const faults = faultsOf(deployment, presented, client)
      const method = methodFor(client, presented)
      return client?.authenticationMethods.includes(method) === true ? faults[method] : METHOD_REFUSED
    },
  }
}

/** Parses the certificate once for all checks. One that cannot be parsed may be very long, so it is not encoded. */
function presentedAs(certificate: PresentedCertificate): Presented {
  const read = readCertificate(certificate.der)
  const base64 = read === undefined ? '' : Buffer.from(certificate.der).toString('base64')
  return { ...certificate, read, base64 }
}

/** If a client has both methods, a registered certificate is for the self-signed one, and any other for the one by name. */
function methodFor(client: Client | undefined, presented: Presented): CertificateMethod {
  const registered = CERTIFICATE_METHODS.filter((method) => client?.authenticationMethods.includes(method))
  const [method = 'tls_client_auth', other] = registered
  return other !== undefined && isRegistered(presented, client) ? other : method
}

/**
 * The fault of the certificate for each method. Both are checked for every client, also for an unknown one, and only the
 * certificate can end the checks early. So time shows nothing about the client.
 */
function faultsOf(
  deployment: Deployment,
  presented: Presented,
  client: Client | undefined,
): Record<CertificateMethod, Fault | undefined> {
  const { read } = presented
  const unfit =
    read === undefined
      ? fault('client_certificate_wrong', 'is not valid DER, or is too long')
      : timeFault(deployment, read)
  if (read === undefined || unfit !== undefined)
    return { tls_client_auth: unfit, self_signed_tls_client_auth: unfit }
  return {
    tls_client_auth: nameFault(presented, read, client),
    self_signed_tls_client_auth: isRegistered(presented, client)
      ? undefined
      : fault('client_certificate_wrong', 'is not registered for the client'),
  }
}

/** RFC 8705 2.1: a trusted authority must have issued it, and it must have the registered name. */
function nameFault({ trusted }: Presented, read: Certificate, client: Client | undefined): Fault | undefined {
  if (!trusted) return fault('client_certificate_untrusted', 'was not issued by a trusted authority')
  if (hasRegisteredName(read, client?.metadata ?? {})) return undefined
  return fault('client_certificate_wrong', 'does not have the registered name of the client')
}

/** The TLS layer checks it only once: a connection or a resumed TLS session can outlive its certificate. */
function timeFault(deployment: Deployment, read: Certificate): Fault | undefined {
  if (isValidAt(read, numericDate(deployment), deployment.clockToleranceSeconds)) return undefined
  return fault('client_certificate_expired', 'has expired, or is not valid yet')
}

function fault(reason: Reason, what: string): Fault {
  return { reason, message: `The client certificate ${what}.` }
}
