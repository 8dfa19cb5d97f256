import type { Reason } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import { signJwt } from '../jose/jwt.js'
import { text } from '../jose/signed-token.js'
import { callStore, type Deployment, numericDate, type StoringDeployment } from '../ports/deployment.js'
import { isLocked } from '../ports/lock.js'
import type { Confirmation, KeyRecord, KeyRef } from '../ports/store.js'
import { ISSUED_CLAIMS, type IssuedClaims, issuedKind } from './issued-token.js'
import { randomId, type VerifiedKey } from './provisioning-key.js'

/** The claims of an access token (RFC 9068 2.2). */
export interface AccessTokenClaims extends IssuedClaims {
  /** The `jti` of the provisioning key that was redeemed for the token. It names the family. */
  readonly key_id: string
  /** The client that the key was issued to. The store needs it to find the family. */
  readonly key_client_id: string
  /** The DPoP key or the certificate that the token is bound to (RFC 9449 6.1, RFC 8705 3.1). */
  readonly cnf?: Confirmation
}

/** The terms of a new access token, within those of its key and of the policy. */
export interface AccessTokenTerms {
  readonly audience: string
  readonly scope: readonly string[]
  readonly lifetimeSeconds: number
  readonly confirmation: Confirmation | undefined
}

/** Mints the access token that a key is redeemed for. Its client is the subject of the key. */
export function mintAccessToken(deployment: Deployment, key: VerifiedKey, terms: AccessTokenTerms) {
  const issuedAt = numericDate(deployment)
  const claims: AccessTokenClaims = withoutUndefined({
    iss: deployment.issuer,
    aud: terms.audience,
    sub: key.subject,
    client_id: key.subject,
    scope: terms.scope.join(' '),
    iat: issuedAt,
    exp: issuedAt + terms.lifetimeSeconds,
    jti: randomId(),
    key_id: key.jti,
    key_client_id: key.clientId,
    cnf: terms.confirmation,
    env: deployment.environment,
  })
  return { token: signJwt({ ...claims }, deployment.keyRing.active(), ACCESS_TOKEN.typ), claims }
}

/** The identifiers of a token and its family, for refusals. */
export function tokenFacts({ jti, key_id, key_client_id }: AccessTokenClaims) {
  return { clientId: key_client_id, jti: key_id, tokenId: jti }
}

/** The family of a token. The store finds it by the key that was redeemed. */
export function familyOf({ key_id, key_client_id }: AccessTokenClaims): KeyRef {
  return { clientId: key_client_id, jti: key_id }
}

/** The reasons to refuse a genuine token for its state. */
export type TokenStateFault = Extract<
  Reason,
  'token_revoked' | 'token_unknown' | 'token_forged' | 'client_locked'
>

/**
 * Checks the state of a genuine token: its key must be redeemed, its family not revoked, and its terms within those of
 * the key. Otherwise a thief of a signing key could sign a token with wider terms. And nobody may have locked its client.
 */
export async function tokenFault(
  deployment: StoringDeployment,
  claims: AccessTokenClaims,
): Promise<TokenStateFault | undefined> {
  const entry = await callStore(() => deployment.store.find(familyOf(claims)))
  if (entry?.familyRevoked || entry?.state === 'revoked') return 'token_revoked'
  if (entry?.state !== 'redeemed') return 'token_unknown'
  if (isWithinKey(claims, entry)) return isLocked(entry) ? 'client_locked' : undefined
  const { clientId, jti: keyId, tokenId } = tokenFacts(claims)
  deployment.emit('token.forged', { keyId, clientId, tokenId })
  return 'token_forged'
}

function isWithinKey({ sub, client_id, aud, scope, cnf }: AccessTokenClaims, key: KeyRecord): boolean {
  const { jkt, 'x5t#S256': certificate } = key.confirmation ?? {}
  return (
    [sub, client_id].every((one) => one === key.subject) &&
    aud === key.audience &&
    scope.split(' ').every((one) => key.scope.includes(one)) &&
    (jkt === undefined || jkt === cnf?.jkt) &&
    (certificate === undefined || certificate === cnf?.['x5t#S256'])
  )
}

export const ACCESS_TOKEN = issuedKind<AccessTokenClaims>({
  noun: 'The access token',
  // RFC 9068 2.1. We never mint the longer spelling, `application/at+jwt`, so we do not accept it.
  typ: 'at+jwt',
  claims: {
    ...ISSUED_CLAIMS,
    key_id: text,
    key_client_id: text,
  },
  maxLifetimeSeconds: ({ maxAccessTokenLifetimeSeconds }) => maxAccessTokenLifetimeSeconds,
  factsOf: tokenFacts,
})
