import { malformed } from '../../base/errors.js'
import { Secret, secretMatches } from '../../base/secret.js'
import { numericDate } from '../../ports/deployment.js'
import type { SECRET_METHODS } from '../../ports/methods.js'
import type { ClientCredentials, ReadCredentials } from './credentials.js'

/** `client_secret_basic`: id and secret are form-encoded, joined by a colon, and base64-encoded (RFC 6749 2.3.1, RFC 7617). */
export const readBasic: ReadCredentials = (request) => {
  const [header = ''] = request.authorization
  if (!/^Basic /i.test(header)) return undefined
  // A stranger can send any text, so the pattern must take linear time.
  const [, encoded = ''] = /^Basic +([a-z0-9+/]+={0,2})$/i.exec(header) ?? []
  const bytes = Buffer.from(encoded, 'base64')
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(bytes.toString('utf8')) ?? []
  // Padding is optional here, so decodeCanonical() is too strict.
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
      'The Basic credentials are wrong: form-encode id and secret before base64 (RFC 6749 2.3.1).',
    )
  }
}

/** `client_secret_post`: id and secret are parameters of the body (RFC 6749 2.3.1). */
export const readPost: ReadCredentials = (_request, parameters) => {
  const secret = parameters.get('client_secret')
  if (secret === undefined) return undefined
  const clientId = parameters.get('client_id')
  if (clientId === undefined)
    throw malformed('parameter_missing', 'client_id is missing; send it with client_secret.')
  return credentials('client_secret_post', clientId, new Secret(secret))
}

/** The secret is in no member, so that nothing can print it. */
function credentials(
  method: (typeof SECRET_METHODS)[number],
  clientId: string,
  secret: Secret,
): ClientCredentials {
  return {
    clientId,
    methodFor: () => method,
    check(deployment, client) {
      // Compared first, so that an unknown client takes as long as a wrong secret.
      const matches = secretMatches(secret, client?.secretHash)
      const expiresAt = client?.secretExpiresAt ?? Number.POSITIVE_INFINITY
      if (matches && expiresAt > numericDate(deployment)) return undefined
      return { reason: 'client_secret_wrong', message: 'The client secret is wrong or has expired.' }
    },
  }
}
