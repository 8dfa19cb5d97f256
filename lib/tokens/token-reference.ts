import { unlessRefused } from '../base/caught-refusal.js'
import { malformed } from '../base/errors.js'
import type { Parameters } from '../base/request.js'
import type { Deployment } from '../ports/deployment.js'
import type { KeyRef } from '../ports/store.js'
import { ACCESS_TOKEN, type AccessTokenClaims, familyOf } from './access-token.js'
import { verifyGenuine } from './issued-token.js'
import { isRandomId, type KeyClaims, PROVISIONING_KEY } from './provisioning-key.js'

/** The key or access token that a `token` parameter names. A key can be named by its text, or by its `jti`. */
export type TokenReference =
  | { readonly kind: 'key'; readonly ref: KeyRef; readonly claims?: KeyClaims }
  | { readonly kind: 'access_token'; readonly ref: KeyRef; readonly claims: AccessTokenClaims }

/** The client that asks. It may know its own keys and tokens. */
export interface TokenCaller {
  readonly clientId: string
  /** It may also know those for these audiences, if it has their text, which nobody can guess. */
  readonly audiences: readonly string[]
}

/**
 * Reads the parameter `token` (RFC 7662 2.1, RFC 7009 2.1). `undefined`: the token is not genuine, or the caller must not
 * know it.
 */
export function readTokenReference(
  deployment: Deployment,
  parameters: Parameters,
  caller: TokenCaller,
): TokenReference | undefined {
  const token = parameters.get('token')
  if (token === undefined) throw malformed('parameter_missing', 'token is missing.')
  // Any other text may be a pasted secret, which must not become a name in the store.
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
