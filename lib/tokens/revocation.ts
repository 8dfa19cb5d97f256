import { ProvisioningError } from '../base/errors.js'
import type { Parameters, RequestSource } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { loadKey } from '../jose/jwt.js'
import { callStore, type Deployment, numericDate, type VerifyingDeployment } from '../ports/deployment.js'
import type { KeyRef, ProvisioningStore, RevokeFamilyOutcome, RevokeOutcome } from '../ports/store.js'
import { ACCESS_TOKEN, familyOf } from './access-token.js'
import { type IssuedClaims, verifyGenuine } from './issued-token.js'
import { PROVISIONING_KEY } from './provisioning-key.js'
import { readTokenReference } from './token-reference.js'

/** Revokes a key or an access token of the client. Others are ignored, without an error (RFC 7009 2.2). */
export async function revokeOwnToken(
  deployment: Deployment,
  { clientId, source }: AuthenticatedClient,
  parameters: Parameters,
): Promise<void> {
  // No audiences: a client that may introspect the tokens of others may not revoke them.
  const reference = readTokenReference(deployment, parameters, { clientId, audiences: [] })
  if (reference?.kind === 'key') await revokeKey(deployment, reference.ref, source)
  if (reference?.kind === 'access_token') await revokeTokens(deployment, reference.ref, source)
}

/** Revokes a key that is not redeemed yet. */
export async function revokeKey(
  deployment: Deployment,
  ref: KeyRef,
  source?: RequestSource,
): Promise<RevokeOutcome> {
  const outcome = await callStore(() => deployment.store.revoke(ref))
  if (outcome === 'revoked')
    deployment.emit('key.revoked', { keyId: ref.jti, clientId: ref.clientId }, source)
  return outcome
}

async function revokeTokens(deployment: Deployment, ref: KeyRef, source: RequestSource): Promise<void> {
  const outcome = await callStore(() => deployment.store.revokeFamily(ref))
  if (outcome === 'revoked')
    deployment.emit('token.revoked', { keyId: ref.jti, clientId: ref.clientId }, source)
}

/** Texts that a request sent over cleartext. */
export interface Exposure {
  readonly texts: readonly string[]
  readonly source: RequestSource
}

/**
 * Revokes the credentials among texts that were sent over cleartext.
 *
 * @param revokeOther revokes a text if it is a credential that is not a JWT
 */
export async function revokeExposed(
  deployment: VerifyingDeployment,
  { texts, source }: Exposure,
  revokeOther: (text: string) => Promise<void> = async () => undefined,
): Promise<void> {
  for (const text of texts) {
    await loadKey(deployment.keyRing, text)?.catch(() => undefined)
    await ignoreRefusal(revokeExposedKey(deployment, text, source))
    await ignoreRefusal(revokeExposedAccessToken(deployment, text, source))
    await ignoreRefusal(revokeOther(text))
  }
}

/** A text that is no credential of some kind is refused. */
async function ignoreRefusal(revoking: Promise<void>): Promise<void> {
  try {
    await revoking
  } catch (error) {
    if (!(error instanceof ProvisioningError)) throw error
  }
}

async function revokeExposedKey(
  deployment: VerifyingDeployment,
  text: string,
  source: RequestSource,
): Promise<void> {
  const claims = verifyGenuine(deployment, PROVISIONING_KEY, text)
  if (isExpired(deployment, claims)) return
  const { client_id: clientId, jti } = claims
  const revoked = await revokeBearer(deployment, claims, (store) => store.revoke({ clientId, jti }))
  deployment.emit('key.exposed', { keyId: jti, clientId, subject: claims.sub, revoked }, source)
}

async function revokeExposedAccessToken(
  deployment: VerifyingDeployment,
  text: string,
  source: RequestSource,
): Promise<void> {
  const claims = verifyGenuine(deployment, ACCESS_TOKEN, text)
  if (isExpired(deployment, claims)) return
  const family = familyOf(claims)
  const revoked = await revokeBearer(deployment, claims, (store) => store.revokeFamily(family))
  const { clientId, jti: keyId } = family
  const details = { keyId, clientId, subject: claims.sub, tokenId: claims.jti, revoked }
  deployment.emit('token.exposed', details, source)
}

/** An expired credential does no harm. If it caused events, anybody could raise alarms with old copies. */
function isExpired(deployment: VerifyingDeployment, { exp }: IssuedClaims): boolean {
  return numericDate(deployment) >= exp + deployment.clockToleranceSeconds
}

/**
 * Revokes a bearer credential, and returns whether it did. A bound one stays valid: an observer cannot use it, and
 * otherwise anybody with a copy could take it from its owner. A process without the store cannot revoke, so its event
 * tells the operator to.
 */
async function revokeBearer(
  deployment: VerifyingDeployment,
  { cnf }: IssuedClaims,
  revoke: (store: ProvisioningStore) => Promise<RevokeOutcome | RevokeFamilyOutcome>,
): Promise<boolean> {
  if (cnf !== undefined || 'askIssuer' in deployment) return false
  return callStore(() => revoke(deployment.store)).then(
    (outcome) => outcome === 'revoked',
    () => false,
  )
}
