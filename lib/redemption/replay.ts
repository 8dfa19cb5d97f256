import { refusalOf } from '../base/caught-refusal.js'
import { ProvisioningError, type Reason } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import type { RequestSource } from '../base/request.js'
import { callStore, type StoringDeployment } from '../ports/deployment.js'
import type { KeyEntry } from '../ports/store.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import { containReplay } from './containment.js'
import { isBound, stateRefusal, type Verified } from './key-state.js'
import { type Attempt, hasMark, useProof } from './reservation.js'

/*
 * This file decides what a replay is. Every use of a redeemed key is a replay, with two exceptions:
 *
 * - The owner repeats the redemption with the same request. It gets the answer again, or a refusal if the answer is not
 *   kept: `repeatOrContain`.
 * - The owner presents a bound key within two seconds of its redemption: `refuseRedeemed`.
 *
 * A replay means that somebody has copied the key. It is contained: the results of the redemption end, and an event is
 * emitted. Limits, missing scopes, failed client authentication and wrong contents of the body never prevent that.
 *
 * Other requests are refused before the state of the key is looked up, so they are never replays: malformed ones (such as
 * broken JSON or an unsupported token type), and those with an invalid key, network, certificate or DPoP proof. A DPoP
 * header is always checked, also with a bearer key. An unused key gets the same answer, so a thief learns nothing.
 */

/** The answer to a redemption, for an owner that sends the same request again. */
export interface Repetition {
  readonly kind: 'repetition'
  readonly outcome: Buffer
}

/**
 * Within so many seconds after its redemption, a bound key is refused without containment where it is not redeemed. Its
 * owner has just proven possession, so this is one client whose requests overlapped.
 */
const OVERLAP_SECONDS = 2

/**
 * Refuses a redeemed key that is presented at a route that does not redeem it.
 *
 * @throws ProvisioningError `key_redeemed`
 */
export async function refuseRedeemed(
  deployment: StoringDeployment,
  key: VerifiedKey,
  { entry, source }: { readonly entry: KeyEntry; readonly source: RequestSource },
): Promise<never> {
  const isOverlap = isBound(key) && deployment.now() / 1000 - entry.changedAt <= OVERLAP_SECONDS
  if (!isOverlap) return containAndRefuse(deployment, key, source)
  throw stateRefusal('key_redeemed', key)
}

/**
 * Answers an attempt to redeem a redeemed key.
 *
 * @throws ProvisioningError `key_redeemed`
 */
export async function repeatOrContain(deployment: StoringDeployment, attempt: Attempt): Promise<Repetition> {
  const { key, ownerId, request } = attempt
  const { action, source } = request
  const known =
    ownerId === undefined ? undefined : await callStore(() => deployment.store.recall(key, ownerId))
  // A proof that was used before does not show who the owner of a bearer key is. Then this is a replay.
  const recalled = known !== undefined && (await isFresh(attempt)) ? known : undefined
  // The mark of the request is kept even if the outcome is not: a thief can prevent that the outcome is stored.
  const isSameRequest = recalled !== undefined && hasMark(attempt, recalled.request)
  const outcome = recalled?.outcome === undefined ? undefined : open(attempt, recalled.outcome)
  if (recalled !== undefined && !isSameRequest && request.isIncomparable) throw incomparable(key)
  if (!isSameRequest) return containAndRefuse(deployment, key, source)
  if (outcome === undefined) throw stateRefusal('key_redeemed', key)
  await request.requireResults?.(outcome)
  const { jti: keyId, clientId, subject } = key
  deployment.emit('redemption.repeated', { keyId, clientId, subject, action }, source)
  return { kind: 'repetition', outcome }
}

/** Others can fill the memory for bodies. So the owner must not lose its answer because of that, and asks again later. */
function incomparable({ clientId, jti }: VerifiedKey): ProvisioningError {
  const message = 'No memory is left to compare the request with the first one; send it again.'
  const facts = { clientId, jti, retryAfterSeconds: 5 }
  return new ProvisioningError('redemption_pending', message, { facts, disclosed: true })
}

/** Whether the proof was not used before. It is used now. */
async function isFresh(attempt: Attempt): Promise<boolean> {
  const isReplay = ({ reason }: ProvisioningError) => reason === 'dpop_replayed'
  return (await refusalOf(() => useProof(attempt), isReplay)) === undefined
}

function open({ outcomeCipher, request: { digest } }: Attempt, sealed: string): Buffer | undefined {
  return digest === undefined ? undefined : outcomeCipher.open(sealed, digest)
}

/**
 * Runs the action that a verified key was presented for. If the key was redeemed, a fault of the request does not hide
 * the replay: a thief must not be able to explore unseen what the key is good for.
 */
export async function actOrContain<T>(
  deployment: StoringDeployment,
  { key, state, source }: Pick<Verified, 'key' | 'state'> & { readonly source: RequestSource },
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const isFault = error instanceof ProvisioningError && isFaultOfRequest(error)
    if (state !== 'redeemed' || !isFault) throw error
    return containAndRefuse(deployment, key, source)
  }
}

/** Contains a replay, and refuses it. @throws ProvisioningError `key_redeemed` */
async function containAndRefuse(
  deployment: StoringDeployment,
  key: VerifiedKey,
  source: RequestSource | undefined,
): Promise<never> {
  const consequence = await containReplay(deployment, key, source)
  throw stateRefusal('key_redeemed', key).with({ facts: withoutUndefined({ consequence }) })
}

/** Outages are no fault of the request. Refusals for the state of the key were decided by the functions above. */
function isFaultOfRequest({ code, reason }: ProvisioningError): boolean {
  return !STATE_REASONS.includes(reason) && !OUTAGES.includes(code)
}

const STATE_REASONS: readonly Reason[] = [
  'key_redeemed',
  'key_redeeming',
  'key_revoked',
  'key_unknown',
  'confirmation_missed',
]
const OUTAGES: readonly string[] = ['temporarily_unavailable', 'server_error', 'slow_down']
