import type { Reason } from '../base/errors.js'
import { signJwt } from '../jose/jwt.js'
import { text } from '../jose/signed-token.js'
import { callStore, type Deployment, numericDate, type StoringDeployment } from '../ports/deployment.js'
import type { Confirmation, KeyEntry, KeyRecord, KeyRef } from '../ports/store.js'
import { ISSUED_CLAIMS, type IssuedClaims, type IssuedKind } from './issued-token.js'
import { randomId, type VerifiedKey } from './provisioning-key.js'

/** The claims of an initial access token (RFC 9068 2.2). */
export interface AccessTokenClaims extends IssuedClaims {
  /** The `jti` of the provisioning key it was redeemed for: the name of its family. */
  readonly key_id: string
  /** The client the key was issued to, under which the store knows the family. */
  readonly key_client_id: string
  /** What the token is bound to (RFC 9449 6.1, RFC 8705 3.1). */
  readonly cnf?: Confirmation
}

/** On which terms a token is minted: what key and policy allow, and no more. */
export interface AccessTokenTerms {
  readonly audience: string
  readonly scope: readonly string[]
  readonly lifetimeSeconds: number
  readonly confirmation: Confirmation | undefined
}

/** Mints the initial access token that a key is redeemed for. The token's client is the key's subject. */
export function mintAccessToken(deployment: Deployment, key: VerifiedKey, terms: AccessTokenTerms) {
  const issuedAt = numericDate(deployment)
  const claims: AccessTokenClaims = {
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
    ...(terms.confirmation && { cnf: terms.confirmation }),
    ...(deployment.environment !== undefined && { env: deployment.environment }),
  }
  return { token: signJwt({ ...claims }, deployment.keyRing.active(), ACCESS_TOKEN.typ), claims }
}

/** The identifiers by which a refusal names a token and its family. */
export function tokenFacts({ jti, key_id, key_client_id }: AccessTokenClaims) {
  return { clientId: key_client_id, jti: key_id, tokenId: jti }
}

/** The family that a token belongs to, as the store knows it. */
export function familyOf({ key_id, key_client_id }: AccessTokenClaims): KeyRef {
  return { clientId: key_client_id, jti: key_id }
}

/** What can be wrong with a family. */
export type FamilyFault = Extract<Reason, 'token_revoked' | 'token_unknown'>

/** Why a family is not alive, if it is not: its key must have been redeemed, and it not revoked since. */
export async function familyFault(
  deployment: StoringDeployment,
  family: KeyRef,
): Promise<FamilyFault | undefined> {
  return faultIn(await callStore(() => deployment.store.find(family)))
}

function faultIn(entry: KeyEntry | undefined): FamilyFault | undefined {
  if (entry?.familyRevoked || entry?.state === 'revoked') return 'token_revoked'
  return entry?.state === 'redeemed' ? undefined : 'token_unknown'
}

/**
 * Why a genuine token is not good, if so: its family is not alive, or it says more than the key that it came of. To sign
 * is not enough to get more than that.
 */
export async function tokenFault(
  deployment: StoringDeployment,
  claims: AccessTokenClaims,
): Promise<FamilyFault | 'token_forged' | undefined> {
  const entry = await callStore(() => deployment.store.find(familyOf(claims)))
  const fault = faultIn(entry)
  if (entry === undefined || fault !== undefined || isWithinKey(claims, entry)) return fault
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

/** The initial access token, as a kind of token. */
export const ACCESS_TOKEN: IssuedKind<AccessTokenClaims> = {
  noun: 'The access token',
  // RFC 9068 2.1. The longer spelling, `application/at+jwt`, is never minted, so no token of ours can have it.
  typ: 'at+jwt',
  claims: {
    ...ISSUED_CLAIMS,
    key_id: text,
    key_client_id: text,
  },
  longestLifetime: ({ maxAccessTokenLifetimeSeconds }) => maxAccessTokenLifetimeSeconds,
  factsOf: tokenFacts,
}
