import { ProvisioningError } from '../base/errors.js'
import type { Parameters } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { loadKey } from '../jose/jwt.js'
import { callStore, type Deployment, numericDate, type VerifyingDeployment } from '../ports/deployment.js'
import type { KeyRef, ProvisioningStore, RevokeFamilyOutcome, RevokeOutcome } from '../ports/store.js'
import { ACCESS_TOKEN, familyOf } from './access-token.js'
import { type IssuedClaims, verifyGenuine } from './issued-token.js'
import { PROVISIONING_KEY } from './provisioning-key.js'
import { readTokenReference } from './token-reference.js'

/** Revokes a key or an access token of the client. Others are ignored, without an error (RFC 7009 2.2). */
export type Revoke = (client: AuthenticatedClient, parameters: Parameters) => Promise<void>

export function revoker(deployment: Deployment): Revoke {
  return async function revoke(client, parameters) {
    // No audiences: a client that may introspect the tokens of others may not revoke them.
    const caller = { clientId: client.clientId, audiences: [] }
    const reference = readTokenReference(deployment, parameters, caller)
    if (reference?.kind === 'key') await revokeKey(deployment, reference.ref)
    if (reference?.kind === 'access_token') await revokeTokens(deployment, reference.ref)
  }
}

/** Revokes a key that is not redeemed yet. */
export async function revokeKey(deployment: Deployment, ref: KeyRef): Promise<RevokeOutcome> {
  const outcome = await callStore(() => deployment.store.revoke(ref))
  if (outcome === 'revoked') deployment.emit('key.revoked', { keyId: ref.jti, clientId: ref.clientId })
  return outcome
}

async function revokeTokens(deployment: Deployment, ref: KeyRef): Promise<void> {
  const outcome = await callStore(() => deployment.store.revokeFamily(ref))
  if (outcome === 'revoked') deployment.emit('token.revoked', { keyId: ref.jti, clientId: ref.clientId })
}

/** Revokes the credentials among texts that were sent over cleartext. */
export type RevokeExposed = (texts: readonly string[], address: string | undefined) => Promise<void>

/** Revokes a text if it is a credential of one kind. May throw a `ProvisioningError` if it is not. */
export type RevokeText = (text: string, address: string | undefined) => Promise<void>

/** @param revokeOther revokes a credential that is not a JWT */
export function exposureRevoker(
  deployment: VerifyingDeployment,
  revokeOther: RevokeText = async () => undefined,
): RevokeExposed {
  const kinds: readonly RevokeText[] = [
    (text, address) => revokeExposedKey(deployment, text, address),
    (text, address) => revokeExposedAccessToken(deployment, text, address),
    revokeOther,
  ]
  return async function revokeExposed(texts, address) {
    for (const text of texts) {
      await loadKey(deployment.keyRing, text)?.catch(() => undefined)
      for (const revoke of kinds) await ignoreRefusal(revoke(text, address))
    }
  }
}

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
  address: string | undefined,
): Promise<void> {
  const claims = verifyGenuine(deployment, PROVISIONING_KEY, text)
  if (isExpired(deployment, claims)) return
  const { client_id: clientId, jti } = claims
  const revoked = await revokeBearer(deployment, claims, (store) => store.revoke({ clientId, jti }))
  deployment.emit('key.exposed', { keyId: jti, clientId, address, revoked })
}

async function revokeExposedAccessToken(
  deployment: VerifyingDeployment,
  text: string,
  address: string | undefined,
): Promise<void> {
  const claims = verifyGenuine(deployment, ACCESS_TOKEN, text)
  if (isExpired(deployment, claims)) return
  const family = familyOf(claims)
  const revoked = await revokeBearer(deployment, claims, (store) => store.revokeFamily(family))
  const { clientId, jti: keyId } = family
  deployment.emit('token.exposed', { keyId, clientId, tokenId: claims.jti, address, revoked })
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
