import { refusalOf } from '../base/caught-refusal.js'
import { ProvisioningError } from '../base/errors.js'
import type { Observation, VerificationObserver } from '../monitoring/use-case-recorder.js'
import type { VerifyingDeployment } from '../ports/deployment.js'
import type { RedemptionAction } from '../ports/redemption.js'
import type { PresentedCredential } from '../possession/possession.js'
import { actOrContain } from '../redemption/replay.js'
import { recognizeKey } from '../redemption/verification.js'
import { authorizeKey, type Verified } from '../redemption/verified.js'
import type { Presentation } from '../tokens/presentation.js'
import type { KeyLimits, Visit } from './visit.js'

/**
 * Verifies a key and counts the request between the two steps. Limits never keep a redeemed key from containment: a
 * thief could use them up, and the attempt of the owner would stay unseen.
 *
 * A bearer key has no limit of its own. A thief with a copy could use it up for the owner.
 */
export async function verifyCounted(
  deployment: VerifyingDeployment,
  { addressRefusal, countKey }: KeyLimits,
  presentation: Presentation,
  observer?: VerificationObserver,
): Promise<Verified> {
  try {
    const recognized = await recognizeKey(deployment, presentation)
    const { key, state } = recognized
    const early = addressRefusal ?? recognized.deferred
    const counting = early === undefined && key.confirmation !== undefined ? countKey(key.jti) : undefined
    const deferred = early ?? (counting && (await refusalOf(() => counting)))
    if (deferred !== undefined && state !== 'redeemed') throw deferred
    const verified = authorizeKey({ ...recognized, deferred }, presentation.expected)
    observer?.accepted(key)
    return verified
  } catch (error) {
    observer?.refused(error)
    throw error
  }
}

/** A redemption with an action of ours. */
export interface RedeemingVisit<T> {
  readonly action: RedemptionAction
  readonly credential: PresentedCredential
  /** The scope that the key must have. */
  readonly scope: string
  act(verified: Verified): Promise<T>
}

/** Verifies the key of a request and runs the action that the key is redeemed for. Replays are contained. */
export function redeemKey<T>(visit: Visit, redeeming: RedeemingVisit<T>): Promise<T> {
  const { useCases } = visit.context.config
  if (useCases === undefined) return redeem(visit, redeeming)
  return useCases.observe(redeeming.action, (observation) => redeem(visit, redeeming, observation))
}

async function redeem<T>(
  { context, presented, target, keyLimits }: Visit,
  { credential, scope, act }: RedeemingVisit<T>,
  observation?: Observation,
): Promise<T> {
  const { deployment } = context.config
  const expected = { audiences: deployment.audiences, scope: [scope], target, redeems: true }
  const presentation = { credential, presented, expected }
  const verified = await verifyCounted(deployment, keyLimits, presentation, observation)
  const result = await actOrContain(deployment, { ...verified, source: presented }, () => act(verified))
  // Only a repeated redemption reaches this line despite a limit.
  if (verified.deferred !== undefined) throw verified.deferred
  return result
}

/** Runs a request even beyond a limit, to contain a replay. Every other error then becomes the refusal of the limit. */
export function unlessReplayed<T>(refusal: ProvisioningError | undefined, run: () => Promise<T>): Promise<T> {
  return refusal === undefined ? run() : refusedUnlessReplayed(refusal, run)
}

async function refusedUnlessReplayed<T>(refusal: ProvisioningError, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw isReplay(error) ? error : refusal
  }
}

function isReplay(error: unknown): boolean {
  return error instanceof ProvisioningError && error.reason === 'key_redeemed'
}
