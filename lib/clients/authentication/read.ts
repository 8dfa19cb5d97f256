import { malformed } from '../../base/errors.js'
import type { Parameters, PresentedRequest } from '../../base/request.js'
import { readAssertion } from './assertion.js'
import { readClientCertificate } from './certificate.js'
import type { ClientCredentials, ReadCredentials } from './credentials.js'
import { readBasic, readPost } from './secret.js'

const READERS: readonly ReadCredentials[] = [readBasic, readPost, readAssertion]

/**
 * Reads the one way in which a request authenticates its client.
 *
 * @returns `undefined` when it presents none
 * @throws ProvisioningError `client_authentication_repeated` (RFC 6749 2.3: not more than one), `header_malformed`,
 *   `header_repeated`, `client_mismatch`, `parameter_missing`, `client_assertion_malformed`
 */
export function readClientCredentials(
  request: PresentedRequest,
  parameters: Parameters,
): ClientCredentials | undefined {
  if (request.authorization.length > 1) {
    throw malformed('header_repeated', 'The request has more than one Authorization header.')
  }
  const presented = READERS.flatMap((read) => read(request, parameters) ?? [])
  // A connection has its certificate for other reasons too; it authenticates only where nothing else does.
  const [credentials = readClientCertificate(request, parameters)] = presented
  if (presented.length > 1) {
    throw malformed(
      'client_authentication_repeated',
      'The request authenticates the client in more than one way.',
    )
  }
  const named = parameters.get('client_id')
  if (credentials !== undefined && named !== undefined && named !== credentials.clientId) {
    throw malformed('client_mismatch', 'The client_id parameter is not the client that authenticates.')
  }
  return credentials
}
