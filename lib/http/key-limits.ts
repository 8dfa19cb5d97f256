import { ProvisioningError } from '../base/errors.js'
import type { PresentedRequest } from '../base/request.js'
import type { PresentedCredential } from '../possession/possession.js'
import { authorizeKey, type Verified } from '../redemption/verified.js'
import type { Expectation } from '../tokens/expectation.js'
import type { VerifyingUseCases } from './use-cases.js'

/** The limits of one request that redeems a key. */
export interface KeyLimits {
  /** The refusal of the address, when too many requests come from it. */
  readonly addressRefusal: ProvisioningError | undefined
  /** Counts the request against its key. */
  readonly countKey: (jti: string) => Promise<void>
}

/** A verified key. For a redeemed key, also the refusal of a limit, which applies to a repetition. */
export interface Counted {
  readonly verified: Verified
  readonly refusal: ProvisioningError | undefined
}

/** A request that presents a key, and the requirements for the key. */
export interface KeyRequest {
  readonly presentedKey: PresentedCredential
  readonly presented: PresentedRequest
  readonly expected: Expectation
}

/**
 * Verifies a key and counts the request between the two steps. Limits never keep a redeemed key from containment: a
 * thief could use them up, and the attempt of the owner would stay unseen.
 *
 * A bearer key has no limit of its own. A thief with a copy could use it up for the owner.
 */
export async function verifyCounted(
  { recognize }: Pick<VerifyingUseCases, 'recognize'>,
  { addressRefusal, countKey }: KeyLimits,
  { presentedKey, presented, expected }: KeyRequest,
): Promise<Counted> {
  const recognized = await recognize(presentedKey, presented, expected)
  const { key, state, limit } = recognized
  const count = async () => (key.confirmation === undefined ? undefined : countKey(key.jti))
  const refusal = addressRefusal ?? limit ?? (await refusalOf(count))
  if (refusal !== undefined && state !== 'redeemed') throw refusal
  return { verified: authorizeKey(recognized, expected), refusal }
}

/** Runs a request even beyond a limit, to contain a replay. Every other error then becomes the refusal of the limit. */
export async function unlessReplayed<T>(
  refusal: ProvisioningError | undefined,
  run: () => T | Promise<T>,
): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw refusal === undefined || isReplay(error) ? error : refusal
  }
}

function isReplay(error: unknown): boolean {
  return error instanceof ProvisioningError && error.reason === 'key_redeemed'
}

/** Returns the refusal that `check` throws. */
export async function refusalOf(check: () => Promise<void>): Promise<ProvisioningError | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    if (error instanceof ProvisioningError) return error
    throw error
  }
}
