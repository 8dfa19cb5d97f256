import type { KeyRef } from '../stores/store.js'
import { type AccessTokenClaims, familyOf, verifyGenuineToken } from './access-token.js'
import type { Deployment } from './deployment.js'
import { unlessRefused } from './errors.js'
import { type KeyClaims, verifyGenuine } from './provisioning-key.js'

/**
 * What the `token` parameter of introspection and revocation refers to, if it is the caller's: a key by its text, a
 * key by its `jti`, or an access token. The caller of a key is the client it was issued to.
 */
export type TokenReference =
  | { readonly kind: 'key'; readonly ref: KeyRef; readonly claims?: KeyClaims }
  | { readonly kind: 'access_token'; readonly ref: KeyRef; readonly claims: AccessTokenClaims }

/** Reads the parameter; `undefined` when it is not genuine or not the caller's, which is not told apart. */
export function readTokenReference(
  deployment: Deployment,
  token: string,
  caller: string,
): TokenReference | undefined {
  if (!token.includes('.')) return { kind: 'key', ref: { clientId: caller, jti: token } }
  return readKey(deployment, token, caller) ?? readToken(deployment, token, caller)
}

function readKey(deployment: Deployment, token: string, caller: string): TokenReference | undefined {
  const claims = unlessRefused(() => verifyGenuine(deployment, token))
  if (claims?.client_id !== caller) return undefined
  return { kind: 'key', ref: { clientId: caller, jti: claims.jti }, claims }
}

function readToken(deployment: Deployment, token: string, caller: string): TokenReference | undefined {
  const claims = unlessRefused(() => verifyGenuineToken(deployment, token))
  if (claims === undefined || (claims.client_id !== caller && claims.key_client_id !== caller))
    return undefined
  return { kind: 'access_token', ref: familyOf(claims), claims }
}
