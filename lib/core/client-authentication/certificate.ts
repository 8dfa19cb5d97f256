import type { Client } from '../client.js'
import { type Certificate, isInTime, readCertificate } from '../confirmation/certificate.js'
import { hasRegisteredName } from '../confirmation/certificate-name.js'
import { registeredThumbprints } from '../confirmation/registered-certificates.js'
import { type Deployment, numericDate } from '../deployment.js'
import type { Reason } from '../errors.js'
import type { PresentedCertificate } from '../request.js'
import type { Fault, ReadCredentials } from './credentials.js'
import { CERTIFICATE_METHODS } from './methods.js'

type CertificateMethod = (typeof CERTIFICATE_METHODS)[number]

/**
 * `tls_client_auth` and `self_signed_tls_client_auth`: the certificate of the connection, for the client that
 * `client_id` names (RFC 8705 2). To be asked last: it is there whatever else a request authenticates with.
 */
export const readClientCertificate: ReadCredentials = ({ authorization, certificate }, parameters) => {
  const clientId = parameters.get('client_id')
  if (certificate === undefined || clientId === undefined || authorization.length > 0) return undefined
  return {
    clientId,
    methodFor: (client) => methodFor(client, certificate),
    judge(deployment, client) {
      // Read whoever it is, so that an unknown client costs what a wrong certificate costs.
      const read = readCertificate(certificate.der)
      const method = methodFor(client, certificate)
      if (client?.authenticationMethods.includes(method) !== true) return NOT_REGISTERED
      if (read === undefined) return fault('client_certificate_wrong', 'cannot be read')
      return timeFault(deployment, read) ?? JUDGES[method](certificate, read, client)
    },
  }
}

/** A client can be registered for both; which one it is then is told by the certificate. */
function methodFor(client: Client | undefined, { thumbprint }: PresentedCertificate): CertificateMethod {
  const registered = CERTIFICATE_METHODS.filter((method) => client?.authenticationMethods.includes(method))
  const [method = 'tls_client_auth', other] = registered
  return other !== undefined && registeredThumbprints(client).includes(thumbprint) ? other : method
}

type Judge = (presented: PresentedCertificate, read: Certificate, client: Client) => Fault | undefined

const JUDGES: Record<CertificateMethod, Judge> = {
  /** RFC 8705 2.1: by an authority that is trusted, and with the name that is registered. */
  tls_client_auth({ trusted }, read, { metadata }) {
    if (!trusted) return fault('client_certificate_untrusted', 'is by no authority that is trusted')
    if (hasRegisteredName(read, metadata ?? {})) return undefined
    return fault('client_certificate_wrong', 'does not have the name that is registered for the client')
  },
  /** RFC 8705 2.2: the very certificate that is registered, whoever has signed it. */
  self_signed_tls_client_auth({ thumbprint }, _read, client) {
    if (registeredThumbprints(client).includes(thumbprint)) return undefined
    return fault('client_certificate_wrong', 'is not registered for the client')
  },
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
