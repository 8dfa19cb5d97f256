import { malformed } from '../../base/errors.js'
import type { Parameters, PresentedRequest } from '../../base/request.js'
import { readAssertion } from './assertion.js'
import { readClientCertificate } from './certificate.js'
import type { ClientCredentials, ReadCredentials } from './credentials.js'
import { readBasic, readPost } from './secret.js'

const READERS: readonly ReadCredentials[] = [readBasic, readPost, readAssertion]

/**
 * Reads the credentials of the client. A request must not use more than one method (RFC 6749 2.3).
 *
 * @returns `undefined` if the request has no credentials
 * @throws ProvisioningError `client_authentication_repeated`, `header_malformed`,
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
  // A connection can have a certificate for other reasons, so it counts only without other credentials.
  const [credentials = readClientCertificate(request, parameters)] = presented
  if (presented.length > 1) {
    throw malformed(
      'client_authentication_repeated',
      'The request authenticates the client by more than one method.',
    )
  }
  const named = parameters.get('client_id')
  if (credentials !== undefined && named !== undefined && named !== credentials.clientId) {
    throw malformed(
      'client_mismatch',
      'The client_id parameter names another client than the credentials; send the same id.',
    )
  }
  return credentials
}
