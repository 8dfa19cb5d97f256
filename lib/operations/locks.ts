import { ProvisioningError } from '../base/errors.js'
import { callStore, type Deployment, numericDate, type StoringDeployment } from '../ports/deployment.js'
import type { Lock, LockKind, LockOutcome, UnlockOutcome } from '../ports/store.js'

/** A lock to make, for some seconds from now. */
export interface NewLock extends Pick<Lock, 'clientId' | 'reason' | 'author'> {
  readonly kind: LockKind
  readonly lockSeconds: number
}

/**
 * Locks a client in all processes that share the store.
 *
 * @throws ProvisioningError `store_full`, `store_unavailable`
 */
export async function lockClient(
  deployment: StoringDeployment,
  { clientId, kind, reason, author, lockSeconds }: NewLock,
): Promise<Exclude<LockOutcome, 'full'>> {
  const lockedAt = numericDate(deployment)
  const lockedUntil = lockedAt + lockSeconds
  const lock = { clientId, kind, reason, author, lockedAt, until: lockedUntil }
  const outcome = await callStore(() => deployment.store.lock(lock))
  if (outcome === 'full')
    throw new ProvisioningError('store_full', 'The store cannot remember any more locks.')
  if (outcome === 'locked') deployment.emit('client.locked', { clientId, kind, reason, author, lockedUntil })
  return outcome
}

/** Ends the lock of a client, whoever made it. */
export async function unlockClient(
  deployment: Deployment,
  { clientId, author }: Pick<Lock, 'clientId' | 'author'>,
): Promise<UnlockOutcome> {
  const outcome = await callStore(() => deployment.store.unlock(clientId))
  if (outcome === 'unlocked') deployment.emit('client.unlocked', { clientId, author })
  return outcome
}
