import { isDeepStrictEqual } from 'node:util'
import { ProvisioningError } from '../base/errors.js'
import { isObject } from '../base/object.js'

/**
 * Asks the issuer for the state of a key or an access token. Resolves with the JSON of its introspection endpoint
 * (RFC 7662 2.2), not validated. Rejects when there is no answer.
 */
export type AskIssuer = (token: string) => Promise<unknown>

/** The claims that show whether an answer is about the token in question. */
export interface IdentifyingClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly client_id: string
  readonly jti: string
  readonly cnf?: unknown
}

const IDENTIFYING = ['iss', 'aud', 'sub', 'client_id', 'jti'] as const satisfies (keyof IdentifyingClaims)[]

/**
 * Whether the issuer says that a genuine key or token is active at this moment.
 *
 * @throws ProvisioningError `introspection_unavailable` when the answer is malformed or about another token: then
 *   nothing passes
 */
export async function isActive(
  askIssuer: AskIssuer,
  token: string,
  claims: IdentifyingClaims,
): Promise<boolean> {
  const facts = { clientId: claims.client_id, jti: claims.jti }
  const unavailable = (message: string, cause?: unknown) =>
    new ProvisioningError('introspection_unavailable', message, { facts, cause })
  const answer = await askIssuer(token).catch((cause) => {
    throw unavailable('The issuer did not say whether it is active.', cause)
  })
  if (!isObject(answer) || typeof answer.active !== 'boolean')
    throw unavailable('The answer of the issuer is not an introspection response (RFC 7662 2.2).')
  if (!answer.active) return false
  const other = IDENTIFYING.find((name) => answer[name] !== claims[name])
  if (other !== undefined) throw unavailable(`The issuer answered about another ${other}.`)
  if (!isDeepStrictEqual(answer.cnf, claims.cnf)) throw unavailable('The issuer answered about another cnf.')
  return true
}
