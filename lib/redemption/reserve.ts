import { ProvisioningError } from '../base/errors.js'
import { audited, callStore, type StoringDeployment } from '../ports/deployment.js'
import type { RedeemOutcome } from '../ports/store.js'
import { randomId, type VerifiedKey } from '../tokens/provisioning-key.js'
import { emitStalled, requireUnexpired, stateRefusal, type Verified } from './key-state.js'
import { requestDigest } from './outcome.js'
import { type Repetition, repeatOrContain } from './replay.js'
import { type Attempt, type RedemptionRequest, Reservation, useProof } from './reservation.js'

/*
 *            reserve                 settle
 *   issued ----------> redeeming ------------> redeemed ---- same request of the owner: the answer again
 *     ^  \               |   ^ |                     \------ any other use: a replay (replay.ts)
 *     |   \   release    |   +-+ after the lease, the same owner resumes
 *     +----\-------------+
 *           \            |
 *            +-----------+----> revoked, by the operator or `revokeIssuedBefore`
 *
 * The store makes each move atomically. This file reserves, reservation.ts settles and releases.
 */

/** The pauses of a repeated request that waits for the first one. They take 2.2 seconds together. */
const PAUSES_MILLISECONDS = [40, 80, 160, 320, 320, 320, 320, 320, 320]

/**
 * Reserves a verified key for one attempt. Of any number of concurrent calls exactly one gets the key.
 *
 * @throws ProvisioningError `key_expired`, `key_redeemed`, `key_redeeming`, `key_revoked`, `key_unknown`,
 *   `redemption_pending`, `dpop_replayed`, `store_unavailable`
 */
export async function reserve(
  deployment: StoringDeployment,
  verified: Pick<Verified, 'key' | 'state' | 'outcomeCipher' | 'proof'>,
  request: RedemptionRequest,
): Promise<Reservation | Repetition> {
  requireUnexpired(deployment, verified.key)
  const attempt = { ...verified, request, ownerId: ownerIdOf(verified.key, request), id: randomId() }
  for (let i = 0; ; i += 1) {
    const reserved = await tryReserve(deployment, attempt)
    if (reserved !== 'pending') return reserved
    const milliseconds = PAUSES_MILLISECONDS[i]
    if (milliseconds === undefined) throw pending(verified.key)
    await deployment.pause(milliseconds)
  }
}

/**
 * Names the owner of an attempt by its proven key, and the purpose of the redemption. `undefined` for a bearer key.
 * The purpose is part of the name: after an interrupted action the key must not be redeemed for a second one.
 */
function ownerIdOf(
  { confirmation }: VerifiedKey,
  { ownerConfirmation = confirmation, action, route }: RedemptionRequest,
): string | undefined {
  if (ownerConfirmation === undefined) return undefined
  const { jkt = null, 'x5t#S256': certificate = null } = ownerConfirmation
  // A hash, because Redis needs 700 bytes more for a field of over 64 characters.
  return requestDigest(jkt, certificate, action, route ?? null)
}

/** Makes one attempt. `pending`: the same owner has reserved the key in another request. */
async function tryReserve(
  deployment: StoringDeployment,
  attempt: Attempt,
): Promise<Reservation | Repetition | 'pending'> {
  const { store, redemptionLeaseSeconds: leaseSeconds } = deployment
  const { key, id, ownerId } = attempt
  const lease = ownerId === undefined ? undefined : { ownerId, leaseSeconds }
  const outcome = await callStore(() => store.redeem(key, id, lease))
  const next: Record<RedeemOutcome, () => Promise<Reservation | Repetition | 'pending'>> = {
    reserved: () => begin(deployment, attempt, new Reservation(deployment, attempt, id)),
    resumed: () => resume(deployment, attempt),
    redeeming: () => waitOrRefuse(deployment, attempt),
    redeemed: () => repeatOrContain(deployment, attempt),
    revoked: () => Promise.reject(stateRefusal('key_revoked', key)),
    unknown: () => Promise.reject(stateRefusal('key_unknown', key)),
  }
  return next[outcome]()
}

/** Continues the redemption of an earlier attempt, under the same `redemptionId`. */
async function resume(deployment: StoringDeployment, attempt: Attempt): Promise<Reservation> {
  const { key, ownerId = '' } = attempt
  const recalled = await callStore(() => deployment.store.recall(key, ownerId))
  if (recalled === undefined) throw stateRefusal('key_revoked', key)
  return begin(deployment, attempt, new Reservation(deployment, attempt, recalled.redemption))
}

/** Another request has reserved the key. The owner waits for it, and nobody else. */
async function waitOrRefuse(deployment: StoringDeployment, attempt: Attempt): Promise<'pending'> {
  const { store } = deployment
  const { key, ownerId, state, request } = attempt
  if (ownerId !== undefined && (await callStore(() => store.recall(key, ownerId))) !== undefined)
    return 'pending'
  const entry = await callStore(() => store.find(key))
  // The other reservation has just ended: the next attempt finds out how.
  if (ownerId !== undefined && entry !== undefined && entry.state !== 'redeeming') return 'pending'
  if (entry?.state === 'redeeming' && state !== 'redeeming')
    emitStalled(deployment, key, { entry, source: request.source })
  throw stateRefusal('key_redeeming', key)
}

/** Begins a redemption, if the proof of the attempt was not used before, and the audit log takes the event. */
async function begin(
  deployment: StoringDeployment,
  attempt: Attempt,
  reservation: Reservation,
): Promise<Reservation> {
  const { key, request } = attempt
  const { jti: keyId, clientId, subject } = key
  try {
    await useProof(attempt)
    if (deployment.isAuditRequired)
      await audited(
        deployment,
        'redemption.started',
        { keyId, clientId, subject, action: request.action },
        request.source,
      )
    return reservation
  } catch (error) {
    await reservation.release()
    throw error
  }
}

function pending(key: VerifiedKey): ProvisioningError {
  const message = 'The same redemption is still under way; ask again for its outcome.'
  const facts = { clientId: key.clientId, jti: key.jti, retryAfterSeconds: 2 }
  return new ProvisioningError('redemption_pending', message, { facts, disclosed: true })
}
