import { refusalOf } from '../base/caught-refusal.js'
import type { Parameters, RequestSource } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { loadKey } from '../jose/jwt.js'
import {
  callStore,
  type Deployment,
  numericDate,
  type StoringDeployment,
  type VerifyingDeployment,
} from '../ports/deployment.js'
import type { KeyRef, ProvisioningStore, RevokeFamilyOutcome, RevokeOutcome } from '../ports/store.js'
import { ACCESS_TOKEN, familyOf } from '../tokens/access-token.js'
import { type IssuedClaims, verifyGenuine } from '../tokens/issued-token.js'
import { PROVISIONING_KEY } from '../tokens/provisioning-key.js'
import { readTokenReference } from '../tokens/token-reference.js'
import { removeLeftovers } from './containment.js'

/** Revokes a key or an access token of the client. Others are ignored, without an error (RFC 7009 2.2). */
export async function revokeOwnToken(
  deployment: Deployment,
  { clientId, source }: AuthenticatedClient,
  parameters: Parameters,
): Promise<void> {
  // No audiences: a client that may introspect the tokens of others may not revoke them.
  const reference = readTokenReference(deployment, parameters, { clientId, audiences: [] })
  if (reference === undefined) return
  const { kind, ref, claims } = reference
  const named = claims === undefined ? ref : { ...ref, subject: claims.sub }
  await (kind === 'key' ? revokeKey : revokeTokens)(deployment, named, source)
}

/** A key, and the identity that it is for, if that is known. */
type NamedKey = KeyRef & { readonly subject?: string }

/** Revokes a key that is not redeemed yet, and what an interrupted redemption has left behind. */
export async function revokeKey(
  deployment: StoringDeployment,
  { subject, ...ref }: NamedKey,
  source?: RequestSource,
): Promise<RevokeOutcome> {
  const outcome = await callStore(() => deployment.store.revoke(ref))
  if (outcome === 'revoked') deployment.emit('key.revoked', identityOf(ref, subject), source)
  await removeLeftovers(deployment, ref, outcome)
  return outcome
}

async function revokeTokens(
  deployment: Deployment,
  { subject, ...ref }: NamedKey,
  source?: RequestSource,
): Promise<void> {
  const outcome = await callStore(() => deployment.store.revokeFamily(ref))
  if (outcome === 'revoked') deployment.emit('token.revoked', identityOf(ref, subject), source)
}

function identityOf({ jti: keyId, clientId }: KeyRef, subject: string | undefined) {
  return { keyId, clientId, ...(subject !== undefined && { subject }) }
}

/** Texts that have come into wrong hands, and how: over cleartext (`exposed`), or as somebody reports (`leaked`). */
export interface Compromise {
  readonly texts: readonly string[]
  readonly how: 'exposed' | 'leaked'
  readonly source: RequestSource
}

/**
 * Revokes the credentials among compromised texts.
 *
 * @param revokeOther revokes a text if it is a credential that is not a JWT
 */
export async function revokeCompromised(
  deployment: VerifyingDeployment,
  { texts, ...compromise }: Compromise,
  revokeOther: (text: string) => Promise<void> = async () => undefined,
): Promise<void> {
  for (const text of texts) {
    await loadKey(deployment.keyRing, text)?.catch(() => undefined)
    // A text that is no credential of some kind is refused.
    await refusalOf(() => revokeCompromisedKey(deployment, text, compromise))
    await refusalOf(() => revokeCompromisedAccessToken(deployment, text, compromise))
    await refusalOf(() => revokeOther(text))
  }
}

async function revokeCompromisedKey(
  deployment: VerifyingDeployment,
  text: string,
  { how, source }: Omit<Compromise, 'texts'>,
): Promise<void> {
  const claims = verifyGenuine(deployment, PROVISIONING_KEY, text)
  const { client_id: clientId, jti: keyId, sub: subject } = claims
  if (isExpired(deployment, claims)) return
  const key = { clientId, jti: keyId }
  // A redeemed key stays as it is, and so does its family. An old key in a log is harmless, so a report of it must not
  // take the access of its owner away.
  const outcome = isKept(claims, how) ? 'kept' : await tryIn(deployment, (store) => store.revoke(key))
  deployment.emit(`key.${how}`, { keyId, clientId, subject, revoked: outcome === 'revoked' }, source)
  await removeLeftovers(deployment, key, outcome)
}

async function revokeCompromisedAccessToken(
  deployment: VerifyingDeployment,
  text: string,
  { how, source }: Omit<Compromise, 'texts'>,
): Promise<void> {
  const claims = verifyGenuine(deployment, ACCESS_TOKEN, text)
  const { key_client_id: clientId, key_id: keyId, sub: subject, jti: tokenId } = claims
  if (isExpired(deployment, claims)) return
  const family = familyOf(claims)
  const outcome = isKept(claims, how) || (await tryIn(deployment, (store) => store.revokeFamily(family)))
  const revoked = outcome === 'revoked'
  deployment.emit(`token.${how}`, { keyId, clientId, subject, tokenId, revoked }, source)
}

/** An expired credential does no harm. If it caused events, anybody could raise alarms with old copies. */
function isExpired(deployment: VerifyingDeployment, { exp }: IssuedClaims): boolean {
  return numericDate(deployment) >= exp + deployment.clockToleranceSeconds
}

/**
 * Whether a credential stays valid. A cleartext request shows a bound credential, but not its private key, so an observer
 * cannot use it. Where somebody has found one, the private key may lie beside it.
 */
function isKept({ cnf }: IssuedClaims, how: Compromise['how']): boolean {
  return cnf !== undefined && how === 'exposed'
}

/** Revokes, and never throws. A process without the store cannot revoke, so its event tells the operator to. */
async function tryIn(
  deployment: VerifyingDeployment,
  revoke: (store: ProvisioningStore) => Promise<RevokeOutcome | RevokeFamilyOutcome>,
): Promise<RevokeOutcome | RevokeFamilyOutcome | undefined> {
  if ('askIssuer' in deployment) return undefined
  return callStore(() => revoke(deployment.store)).catch(() => undefined)
}
