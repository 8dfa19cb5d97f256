import { malformed } from '../../base/errors.js'
import { Secret, secretMatches } from '../../base/secret.js'
import { numericDate } from '../../ports/deployment.js'
import type { SECRET_METHODS } from '../../ports/methods.js'
import type { ClientCredentials, ReadCredentials } from './credentials.js'

/** A client's id and secret, as presented. */
export interface SecretCredentials extends ClientCredentials {
  readonly method: (typeof SECRET_METHODS)[number]
  readonly secret: Secret
}

/** `client_secret_basic`: id and secret are form-encoded, then joined and sent as RFC 7617 wants it (RFC 6749 2.3.1). */
export const readBasic: ReadCredentials<SecretCredentials> = (request) => {
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
  return credentials('client_secret_basic', formDecode(id), new Secret(formDecode(secret)))
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

/** `client_secret_post`: id and secret are parameters of the form (RFC 6749 2.3.1). */
export const readPost: ReadCredentials<SecretCredentials> = (_request, parameters) => {
  const secret = parameters.get('client_secret')
  if (secret === undefined) return undefined
  const clientId = parameters.get('client_id')
  if (clientId === undefined)
    throw malformed('parameter_missing', 'client_secret was sent without client_id.')
  return credentials('client_secret_post', clientId, new Secret(secret))
}

function credentials(
  method: SecretCredentials['method'],
  clientId: string,
  secret: Secret,
): SecretCredentials {
  return {
    method,
    clientId,
    secret,
    methodFor: () => method,
    check(deployment, client) {
      // Compared before anything else is told, so that an unknown client costs what a wrong secret costs.
      const matches = secretMatches(secret, client?.secretHash)
      const expiresAt = client?.secretExpiresAt ?? Number.POSITIVE_INFINITY
      if (matches && expiresAt > numericDate(deployment)) return undefined
      return { reason: 'client_secret_wrong', message: 'The client secret is wrong or has expired.' }
    },
  }
}
