import { malformed, unlessRefused } from '../base/errors.js'
import type { Parameters } from '../base/request.js'
import type { Deployment } from '../ports/deployment.js'
import type { KeyRef } from '../ports/store.js'
import { ACCESS_TOKEN, type AccessTokenClaims, familyOf } from './access-token.js'
import { verifyGenuine } from './issued-token.js'
import { isRandomId, type KeyClaims, PROVISIONING_KEY } from './provisioning-key.js'

/** The `token` parameter (RFC 7662 2.1, RFC 7009 2.1). */
export function requireToken(parameters: Parameters): string {
  const token = parameters.get('token')
  if (token === undefined) throw malformed('parameter_missing', 'token is missing.')
  return token
}

/**
 * What the `token` parameter of introspection and revocation refers to, if the caller may know of it: a key by its
 * text, a key by its `jti`, or an access token. The caller of a key is the client it was issued to, and for those that
 * only ask, the resource server it is for.
 */
export type TokenReference =
  | { readonly kind: 'key'; readonly ref: KeyRef; readonly claims?: KeyClaims }
  | { readonly kind: 'access_token'; readonly ref: KeyRef; readonly claims: AccessTokenClaims }

/** Who asks about a token. */
export interface TokenCaller {
  readonly clientId: string
  /** The audiences it may know every token of, of which it has the text: it cannot guess what it was not given. */
  readonly audiences: readonly string[]
}

/** Reads the parameter; `undefined` when it is not genuine or not the caller's, which is not told apart. */
export function readTokenReference(
  deployment: Deployment,
  token: string,
  caller: TokenCaller,
): TokenReference | undefined {
  // Any other text may be a secret that was pasted, and must not become a name in the store.
  if (isRandomId(token)) return { kind: 'key', ref: { clientId: caller.clientId, jti: token } }
  return readKey(deployment, token, caller) ?? readToken(deployment, token, caller)
}

function readKey(deployment: Deployment, token: string, caller: TokenCaller): TokenReference | undefined {
  const claims = unlessRefused(() => verifyGenuine(deployment, PROVISIONING_KEY, token))
  if (claims === undefined || !mayKnow(caller, [claims.client_id], claims)) return undefined
  return { kind: 'key', ref: { clientId: claims.client_id, jti: claims.jti }, claims }
}

function readToken(deployment: Deployment, token: string, caller: TokenCaller): TokenReference | undefined {
  const claims = unlessRefused(() => verifyGenuine(deployment, ACCESS_TOKEN, token))
  if (claims === undefined || !mayKnow(caller, [claims.client_id, claims.key_client_id], claims))
    return undefined
  return { kind: 'access_token', ref: familyOf(claims), claims }
}

function mayKnow(caller: TokenCaller, owners: readonly string[], { aud }: { readonly aud: string }): boolean {
  return owners.includes(caller.clientId) || caller.audiences.includes(aud)
}
