import { ProvisioningError, type Reason } from '../base/errors.js'
import { callStore, type StoringDeployment } from '../ports/deployment.js'
import type { Lease } from '../ports/store.js'
import { randomId, type VerifiedKey } from '../tokens/provisioning-key.js'
import { containReplay } from './containment.js'
import { emitStalled, isBound, requireUnexpired, stateRefusal } from './key-state.js'
import { type Attempt, type Redeemed, type Reservation, reservationOf } from './reservation.js'
import type { Verified } from './verification.js'

/** The outcome of a redemption whose answer got lost: its ownerId has asked for the same again. */
export interface Repetition {
  readonly kind: 'repetition'
  readonly outcome: Buffer
}

/**
 * Claims a verified key for one attempt; of any number of concurrent calls exactly one gets it. Who has redeemed it,
 * and has proven again to hold what it held, gets the outcome again for the same request.
 */
export type Redeem = (
  verified: Pick<Verified, 'key' | 'state' | 'sealer' | 'proof'>,
  redeemed: Redeemed,
) => Promise<Reservation | Repetition>

export function redeemer(deployment: StoringDeployment): Redeem {
  const attemptTo = attempter(deployment)
  return async function redeem(verified, redeemed) {
    requireUnexpired(deployment, verified.key)
    const ownerId = ownerIdOf(verified.key, redeemed)
    const attempt = { ...verified, redeemed, ownerId, id: randomId() }
    for (let waited = 0, pause = FIRST_PAUSE; ; waited += pause, pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const got = await attemptTo(attempt)
      if (got !== 'pending') return got
      if (waited >= LONGEST_WAIT) throw pending(verified.key)
      await deployment.pause(pause)
    }
  }
}

/** In milliseconds: how long a repetition waits for the first attempt, and how often it looks. */
const LONGEST_WAIT = 2_000
const FIRST_PAUSE = 40
const LONGEST_PAUSE = 320

/**
 * What is proven to be held, and what for, as one text; `undefined` for a bearer. Where something was interrupted that
 * may have been done, nobody gets anything else for the same key: one that was redeemed once would be good for both.
 */
function ownerIdOf({ confirmation }: VerifiedKey, { holds = confirmation, action, at }: Redeemed) {
  if (holds === undefined) return undefined
  return JSON.stringify([holds.jkt ?? null, holds['x5t#S256'] ?? null, action, at ?? null])
}

/**
 * Runs what a key was presented for, once it has been verified. One that has been redeemed is a replay whatever else is
 * wrong with the request: a thief must not be able to find out unseen what it is good for.
 */
export type ContainReplays = <T>(
  verified: Pick<Verified, 'key' | 'state'>,
  address: string | undefined,
  act: () => Promise<T>,
) => Promise<T>

export function replayContainer(deployment: StoringDeployment): ContainReplays {
  return async function containReplays({ key, state }, address, act) {
    try {
      return await act()
    } catch (error) {
      const isFault = error instanceof ProvisioningError && isFaultOfRequest(error)
      if (state !== 'redeemed' || !isFault) throw error
      await containReplay(deployment, key, address)
      throw stateRefusal('key_redeemed', key)
    }
  }
}

/** What a redemption refuses for has been dealt with there; and what nobody could find out says nothing of the request. */
function isFaultOfRequest({ code, reason }: ProvisioningError): boolean {
  const isOfRedemption = STATE_REASONS.includes(reason)
  return (
    !isOfRedemption && code !== 'temporarily_unavailable' && code !== 'server_error' && code !== 'slow_down'
  )
}

const STATE_REASONS: readonly Reason[] = ['key_redeemed', 'key_redeeming', 'key_revoked', 'key_unknown']

function attempter(deployment: StoringDeployment) {
  const { store } = deployment

  async function resume(attempt: Attempt, ownerId: string): Promise<Reservation> {
    const recalled = await callStore(() => store.recall(attempt.key, ownerId))
    if (recalled === undefined) throw stateRefusal('key_revoked', attempt.key)
    return proven(reservationOf(deployment, attempt, recalled.redemption), attempt)
  }

  async function repeat(attempt: Attempt): Promise<Repetition> {
    const { key, ownerId, redeemed } = attempt
    const known = ownerId === undefined ? undefined : await callStore(() => store.recall(key, ownerId))
    // A proof that was used before makes nobody the owner of a bearer key: then this is a replay.
    const recalled = known !== undefined && (await isFresh(attempt)) ? known : undefined
    if (recalled !== undefined && recalled.outcome === undefined) throw stateRefusal('key_redeemed', key)
    const outcome = recalled?.outcome === undefined ? undefined : open(attempt, recalled.outcome)
    if (outcome === undefined) {
      await containReplay(deployment, key, redeemed.address)
      throw stateRefusal('key_redeemed', key)
    }
    const { jti: keyId, clientId } = key
    const { action, address } = redeemed
    deployment.emit('redemption.repeated', { keyId, clientId, action, address })
    return { kind: 'repetition', outcome }
  }

  return async function attemptTo(attempt: Attempt): Promise<Reservation | Repetition | 'pending'> {
    const { key, id, ownerId, redeemed, state } = attempt
    const { address } = redeemed
    const holding = ownerId === undefined ? undefined : holdingOf(deployment, ownerId)
    const outcome = await callStore(() => store.redeem(key, id, holding))
    if (outcome === 'reserved') return proven(reservationOf(deployment, attempt, id), attempt)
    if (outcome === 'resumed' && ownerId !== undefined) return resume(attempt, ownerId)
    if (outcome === 'redeemed') return repeat(attempt)
    if (outcome === 'revoked' || outcome === 'unknown') throw stateRefusal(`key_${outcome}`, key)
    const isOwn = ownerId !== undefined && (await callStore(() => store.recall(key, ownerId))) !== undefined
    if (isOwn) return 'pending'
    const now = await callStore(() => store.find(key))
    // The reservation of another request has just ended: the next look tells.
    if (ownerId !== undefined && now !== undefined && now.state !== 'redeeming') return 'pending'
    if (now?.state === 'redeeming' && state !== 'redeeming')
      emitStalled(deployment, key, { entry: now, address })
    throw stateRefusal('key_redeeming', key)
  }
}

function holdingOf({ redemptionLeaseSeconds }: StoringDeployment, ownerId: string): Lease {
  return { ownerId, leaseSeconds: redemptionLeaseSeconds }
}

/** Uses the proof by which a bearer key gets an owner. That of a bound key was used when it was verified. */
async function useProof({ key, proof, ownerId }: Attempt): Promise<void> {
  if (ownerId !== undefined && !isBound(key)) await proof?.spend(key)
}

/** Whether the proof was not used before. It is used now. */
async function isFresh(attempt: Attempt): Promise<boolean> {
  try {
    await useProof(attempt)
    return true
  } catch (error) {
    if (error instanceof ProvisioningError && error.reason === 'dpop_replayed') return false
    throw error
  }
}

/** The claim of an attempt whose proof was not used before. */
async function proven(claim: Reservation, attempt: Attempt): Promise<Reservation> {
  try {
    await useProof(attempt)
    return claim
  } catch (error) {
    await claim.release()
    throw error
  }
}

function open({ sealer, redeemed: { request } }: Attempt, sealed: string): Buffer | undefined {
  return request === undefined ? undefined : sealer.open(sealed, request)
}

function pending(key: VerifiedKey): ProvisioningError {
  const message = 'The same redemption is still under way; ask again for its outcome.'
  const facts = { clientId: key.clientId, jti: key.jti, retryAfterSeconds: 2 }
  return new ProvisioningError('redemption_pending', message, { facts, disclosed: true })
}
