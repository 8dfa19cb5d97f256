import { refusalOf } from '../base/caught-refusal.js'
import { ProvisioningError } from '../base/errors.js'
import type { VerificationObserver } from '../monitoring/use-case-recorder.js'
import type { VerifyingDeployment } from '../ports/deployment.js'
import type { Verified } from '../redemption/key-state.js'
import { authorizeKey, recognizeKey } from '../redemption/verification.js'
import type { Presentation } from '../tokens/presentation.js'

/** The limits of one request that redeems a key. */
export interface KeyLimits {
  /** The refusal of the address, when too many requests come from it. */
  readonly addressRefusal: ProvisioningError | undefined
  /** Counts the request against its key. */
  readonly countKey: (jti: string) => Promise<void> | undefined
}

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
