import { ProvisioningError } from '../base/errors.js'
import { callStore, type Deployment, numericDate } from '../ports/deployment.js'
import type { IssuedBefore, RevokeIssuedOutcome } from '../ports/store.js'

/**
 * Revokes all keys that were issued up to a second, and all results of their redemptions: of one client, or of
 * everybody.
 *
 * The clock of another process may be ahead. So the clock tolerance is added, and covers the keys that it issued.
 *
 * @throws ProvisioningError `store_full`, `store_unavailable`
 */
export async function revokeIssuedBefore(
  deployment: Deployment,
  { identity, issuedBefore }: Omit<IssuedBefore, 'retainUntil'>,
): Promise<Exclude<RevokeIssuedOutcome, 'full'>> {
  const { clockToleranceSeconds: tolerance, maxLifetimeSeconds, maxAccessTokenLifetimeSeconds } = deployment
  const upTo = issuedBefore + tolerance
  // The last key may be redeemed at its expiry, for an access token that begins its life then.
  const longest = maxLifetimeSeconds + tolerance + maxAccessTokenLifetimeSeconds + tolerance
  const retainUntil = Math.max(numericDate(deployment), upTo) + longest + 1
  const bound = { issuedBefore: upTo, retainUntil, ...(identity !== undefined && { identity }) }
  const outcome = await callStore(() => deployment.store.revokeIssuedBefore(bound))
  if (outcome === 'full')
    throw new ProvisioningError('store_full', 'The store cannot remember any more revoked clients.')
  const whose = identity === undefined ? {} : { clientId: identity }
  if (outcome === 'revoked') deployment.emit('keys.revoked', { issuedBefore: upTo, ...whose })
  return outcome
}
