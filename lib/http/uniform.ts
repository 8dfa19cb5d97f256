import type { ErrorCode } from '../base/errors.js'
import type { Credential } from '../base/request.js'

/** The error descriptions for unauthenticated callers. */
const UNIFORM: Record<ErrorCode, string> = {
  invalid_request: 'The request cannot be accepted.',
  invalid_token: 'The provisioning key is not accepted.',
  invalid_dpop_proof: 'The DPoP proof is not accepted.',
  use_dpop_nonce: 'The DPoP proof must carry a nonce.',
  insufficient_scope: 'The provisioning key lacks the scope for this.',
  invalid_client: 'The client could not be authenticated.',
  unauthorized_client: 'The client may not do this.',
  unsupported_grant_type: 'The grant type is not supported.',
  invalid_scope: 'The scope cannot be granted.',
  invalid_target: 'The resource cannot be granted.',
  invalid_client_metadata: 'The client metadata cannot be accepted.',
  invalid_redirect_uri: 'The redirect URIs cannot be accepted.',
  invalid_software_statement: 'The software statement cannot be accepted.',
  unapproved_software_statement: 'The software statement is not approved.',
  slow_down: 'Too many requests; try again later.',
  temporarily_unavailable: 'The service cannot answer at this moment; try again later.',
  server_error: 'The server met an unexpected condition.',
}

const OF_ACCESS_TOKENS: Partial<Record<ErrorCode, string>> = {
  invalid_token: 'The access token is not accepted.',
  insufficient_scope: 'The access token lacks the scope for this.',
}

/** The error description of a code for unauthenticated callers. It names the expected credential. */
export function uniformSentence(code: ErrorCode, credential: Credential): string {
  return (credential === 'access token' ? OF_ACCESS_TOKENS[code] : undefined) ?? UNIFORM[code]
}
