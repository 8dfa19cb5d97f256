import { malformed } from '../errors.js'
import type { Parameters, PresentedRequest } from '../request.js'
import { Secret } from '../secret.js'

/** The registered names of the ways in which a client may authenticate (RFC 7591 2). */
export const CLIENT_AUTHENTICATION_METHODS = ['client_secret_basic', 'client_secret_post'] as const
export type ClientAuthenticationMethod = (typeof CLIENT_AUTHENTICATION_METHODS)[number]

/** What a request presents to authenticate its client; nothing of it has been judged. */
export interface ClientCredentials {
  readonly method: ClientAuthenticationMethod
  readonly clientId: string
  readonly secret: Secret
}

type Reader = (request: PresentedRequest, parameters: Parameters) => ClientCredentials | undefined

const READERS: Record<ClientAuthenticationMethod, Reader> = {
  client_secret_basic: readBasic,
  client_secret_post: readPost,
}

/**
 * Reads the one way in which a request authenticates its client.
 *
 * @returns `undefined` when it presents none
 * @throws ProvisioningError `client_authentication_repeated` (RFC 6749 2.3: not more than one), `header_malformed`,
 *   `header_repeated`, `client_mismatch`
 */
export function readClientCredentials(
  request: PresentedRequest,
  parameters: Parameters,
): ClientCredentials | undefined {
  if (request.authorization.length > 1) {
    throw malformed('header_repeated', 'The request has more than one Authorization header.')
  }
  const presented = Object.values(READERS).flatMap((read) => read(request, parameters) ?? [])
  const [credentials] = presented
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

/** RFC 6749 2.3.1: id and secret are form-encoded, then joined and sent as RFC 7617 wants it. */
function readBasic(request: PresentedRequest): ClientCredentials | undefined {
  const [header = ''] = request.authorization
  if (!/^Basic /i.test(header)) return undefined
  // The form is looked at first, with a pattern that takes linear time on whatever a stranger sends.
  const [, encoded = ''] = /^Basic +([a-z0-9+/]+={0,2})$/i.exec(header) ?? []
  const bytes = Buffer.from(encoded, 'base64')
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(bytes.toString('utf8')) ?? []
  const isCanonical = bytes.toString('base64').startsWith(encoded) && encoded !== ''
  if (!isCanonical || !id || secret === undefined) {
    throw malformed(
      'header_malformed',
      'The Basic credentials are not the base64 of client_id:client_secret.',
    )
  }
  return { method: 'client_secret_basic', clientId: formDecode(id), secret: new Secret(formDecode(secret)) }
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed(
      'header_malformed',
      'The Basic credentials are not form-encoded before they are base64-encoded.',
    )
  }
}

function readPost(_request: PresentedRequest, parameters: Parameters): ClientCredentials | undefined {
  const secret = parameters.get('client_secret')
  if (secret === undefined) return undefined
  const clientId = parameters.get('client_id')
  if (clientId === undefined)
    throw malformed('parameter_missing', 'client_secret was sent without client_id.')
  return { method: 'client_secret_post', clientId, secret: new Secret(secret) }
}
