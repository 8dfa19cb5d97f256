import type { Reason } from '../../base/errors.js'
import type { PresentedCertificate } from '../../base/request.js'
import { type Certificate, isInTime, readCertificate } from '../../certificates/certificate.js'
import { hasRegisteredName } from '../../certificates/certificate-name.js'
import type { Client } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import { CERTIFICATE_METHODS } from '../../ports/methods.js'
import { isRegistered, type NamedCertificate } from '../registered-certificates.js'
import type { Fault, ReadCredentials } from './credentials.js'

type CertificateMethod = (typeof CERTIFICATE_METHODS)[number]

/** What a connection presents, as it is read and in the forms in which clients register it. */
interface Presented extends PresentedCertificate, NamedCertificate {
  readonly read: Certificate | undefined
}

/**
 * `tls_client_auth` and `self_signed_tls_client_auth`: the certificate of the connection, for the client that
 * `client_id` names (RFC 8705 2). To be asked last: it is there whatever else a request authenticates with.
 */
export const readClientCertificate: ReadCredentials = ({ authorization, certificate }, parameters) => {
  const clientId = parameters.get('client_id')
  if (certificate === undefined || clientId === undefined || authorization.length > 0) return undefined
  const presented = presentedAs(certificate)
  return {
    clientId,
    methodFor: (client) => methodFor(client, presented),
    check(deployment, client) {
      const faults = faultsOf(deployment, presented, client)
      const method = methodFor(client, presented)
      return client?.authenticationMethods.includes(method) === true ? faults[method] : NOT_REGISTERED
    },
  }
}

/** Read once, whoever the client is. One that cannot be read may be very long, and is not encoded. */
function presentedAs(certificate: PresentedCertificate): Presented {
  const read = readCertificate(certificate.der)
  const base64 = read === undefined ? '' : Buffer.from(certificate.der).toString('base64')
  return { ...certificate, read, base64 }
}

/** A client can be registered for both; which one it is then is told by the certificate. */
function methodFor(client: Client | undefined, presented: Presented): CertificateMethod {
  const registered = CERTIFICATE_METHODS.filter((method) => client?.authenticationMethods.includes(method))
  const [method = 'tls_client_auth', other] = registered
  return other !== undefined && isRegistered(presented, client) ? other : method
}

/**
 * Why the certificate does not prove each of the methods. Both are judged for everybody, known or not. What ends this
 * early depends on the certificate alone, so that time tells nothing of the client.
 */
function faultsOf(
  deployment: Deployment,
  presented: Presented,
  client: Client | undefined,
): Record<CertificateMethod, Fault | undefined> {
  const { read } = presented
  const unfit =
    read === undefined ? fault('client_certificate_wrong', 'cannot be read') : timeFault(deployment, read)
  if (read === undefined || unfit !== undefined)
    return { tls_client_auth: unfit, self_signed_tls_client_auth: unfit }
  return {
    tls_client_auth: nameFault(presented, read, client),
    self_signed_tls_client_auth: isRegistered(presented, client)
      ? undefined
      : fault('client_certificate_wrong', 'is not registered for the client'),
  }
}

/** RFC 8705 2.1: by an authority that is trusted, and with the name that is registered. */
function nameFault({ trusted }: Presented, read: Certificate, client: Client | undefined): Fault | undefined {
  if (!trusted) return fault('client_certificate_untrusted', 'is by no authority that is trusted')
  if (hasRegisteredName(read, client?.metadata ?? {})) return undefined
  return fault('client_certificate_wrong', 'does not have the name that is registered for the client')
}

const NOT_REGISTERED: Fault = {
  reason: 'client_method_refused',
  message: 'The client may not authenticate in this way.',
}

/** By the clock of the deployment: a connection, or a TLS session that is resumed, can outlive its certificate. */
function timeFault(deployment: Deployment, read: Certificate): Fault | undefined {
  if (isInTime(read, numericDate(deployment), deployment.clockToleranceSeconds)) return undefined
  return fault('client_certificate_expired', 'has expired, or is not valid yet')
}

function fault(reason: Reason, what: string): Fault {
  return { reason, message: `The client certificate ${what}.` }
}
