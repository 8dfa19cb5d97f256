import type { RedeemOutcome } from '../stores/store.js'
import { asking, type StoringDeployment } from './deployment.js'
import type { ProvisioningError, Reason } from './errors.js'
import type { RedemptionAction } from './events.js'
import { randomId, type VerifiedKey } from './provisioning-key.js'
import { containReplay, stateRefusal } from './verification.js'

/** One attempt's claim on a key. It ends in `settle` or `release`, whichever is called first. */
export interface Claim {
  /**
   * The action succeeded: the key is redeemed, for good.
   *
   * @param retainUntil the NumericDate until which what the action brought forth can be used, if it ends at all
   * @throws ProvisioningError when the claim was lost in the meantime: what the action did must be undone
   */
  settle(retainUntil?: number): Promise<void>
  /** The action did not succeed: the key may be presented again. Never throws. */
  release(): Promise<void>
}

/** Claims a verified key for one attempt; of any number of concurrent calls exactly one gets it. */
export type Redeem = (key: VerifiedKey, action: RedemptionAction, address?: string) => Promise<Claim>

const REFUSALS: Record<Exclude<RedeemOutcome, 'claimed'>, Reason> = {
  redeeming: 'key_redeeming',
  redeemed: 'key_redeemed',
  revoked: 'key_revoked',
  unknown: 'key_unknown',
}

export function redeemer(deployment: StoringDeployment): Redeem {
  return async function redeem(key, action, address) {
    const attempt = randomId()
    const outcome = await asking(() => deployment.store.redeem(key, attempt))
    if (outcome === 'redeemed') await containReplay(deployment, key, address)
    if (outcome !== 'claimed') throw stateRefusal(REFUSALS[outcome], key)
    return claim(deployment, key, action, attempt)
  }
}

function claim(
  deployment: StoringDeployment,
  key: VerifiedKey,
  action: RedemptionAction,
  attempt: string,
): Claim {
  const { jti: keyId, clientId, subject } = key
  const ownRetention = key.expiresAt + deployment.clockToleranceSeconds
  return {
    async settle(retainUntil = ownRetention) {
      const outcome = await asking(() =>
        deployment.store.settle(key, attempt, Math.max(retainUntil, ownRetention)),
      )
      if (outcome !== 'settled') throw lost(outcome, key)
      deployment.emit('key.redeemed', { keyId, clientId, subject, action })
    },
    async release() {
      // A store that does not answer leaves the key claimed: it stays dead until it expires.
      const outcome = await asking(() => deployment.store.release(key, attempt)).catch(() => 'unknown')
      if (outcome === 'released') deployment.emit('key.released', { keyId, clientId, action })
    },
  }
}

function lost(outcome: 'lost' | 'revoked' | 'unknown', key: VerifiedKey): ProvisioningError {
  return stateRefusal(outcome === 'revoked' ? 'key_revoked' : 'key_unknown', key)
}

/** What an action answers with, and how to take back what it did. */
export interface Done<T> {
  readonly result: T
  readonly retainUntil?: number
  undo?(): Promise<unknown>
}

/** Redeems a key for an action of ours: claim, act, settle; or release, when the action does not succeed. */
export async function redeemFor<T>(claimed: Claim, act: () => Promise<Done<T>>): Promise<T> {
  const done = await act().catch(async (error) => {
    await claimed.release()
    throw error
  })
  try {
    await claimed.settle(done.retainUntil)
  } catch (error) {
    await done.undo?.().catch(() => undefined)
    throw error
  }
  return done.result
}
