import type { ProvisioningError } from '../base/errors.js'
import { callStore, type StoringDeployment } from '../ports/deployment.js'
import type { RedemptionAction } from '../ports/events.js'
import type { Confirmation, Settlement } from '../ports/store.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import { requireState, stateRefusal } from './key-state.js'
import { LONGEST_OUTCOME } from './outcome.js'
import type { Verified } from './verified.js'

/** One attempt's claim on a key. It ends in `settle` or `release`, whichever is called first. */
export interface Reservation {
  readonly kind: 'claim'
  /** Names the redemption: the same for all attempts that take one claim over from each other after a crash. */
  readonly redemptionId: string
  /** Whether the same request of the same ownerId is answered again with the outcome that `settle` is given. */
  readonly keepsOutcome: boolean
  /**
   * Checks that the key is still reserved and in time, for handlers that take long.
   *
   * @throws ProvisioningError `key_revoked`, `key_expired`, `key_unknown`, `key_redeeming`, `store_unavailable`
   */
  check(): Promise<void>
  /**
   * The action succeeded: the key is redeemed, for good.
   *
   * @throws ProvisioningError when the claim was lost in the meantime: what the action did must be undone
   */
  settle(settled?: Settled): Promise<void>
  /**
   * The action did not succeed: the key may be presented again, if it answers `true`. Never throws.
   *
   * @param hasActed whether something of it may stand: then the key is good for this redemption alone, once more. A
   *   store that does not answer may do it all the same, when nobody is there any more to take anything back.
   */
  release(hasActed?: boolean): Promise<boolean>
  /** Finds out how a settlement ended whose answer got lost, and releases the key if it did not take place. Never throws. */
  giveUp(hasActed: boolean): Promise<Fate>
}

/**
 * What became of a claim: it was given back, or the key revoked under it; its own settlement took place; another attempt
 * has its place; or nobody can tell.
 */
export type Fate = 'ended' | 'settled' | 'superseded' | 'unknown'

/** What a redemption ended in. */
export interface Settled extends Pick<Settlement, 'familyClientId'> {
  /** The NumericDate until which what the action brought forth can be used, if it ends at all. */
  readonly retainUntil?: number
  /** What is answered. One of more than 64 KiB is not kept. */
  readonly outcome?: Buffer
}

/** What a key is to be redeemed for. */
export interface Redeemed {
  readonly action: RedemptionAction
  /** The digest of where that is asked for, when there are several places for it. */
  readonly at?: string
  readonly address?: string | undefined
  /** What the one who redeems has proven to hold. Default: what the key is bound to. */
  readonly holds?: Confirmation | undefined
  /** The digest of the request; `undefined` when requests cannot be told apart. Then the outcome is not kept. */
  readonly request: string | undefined
}

/** An attempt at a redemption, and on whose behalf: `undefined` for a bearer. */
export interface Attempt extends Pick<Verified, 'key' | 'state' | 'sealer' | 'proof'> {
  readonly id: string
  readonly redeemed: Redeemed
  readonly ownerId: string | undefined
}

/** The claim of an attempt that the store has told of it. */
export function reservationOf(
  deployment: StoringDeployment,
  attempt: Attempt,
  redemptionId: string,
): Reservation {
  const { key, id, redeemed, ownerId } = attempt
  const { jti: keyId, clientId, subject } = key
  const { action } = redeemed
  const ownRetention = key.expiresAt + deployment.clockToleranceSeconds
  let kept: string | undefined
  // A store that does not answer leaves the key claimed: dead until it expires, or until its holder's lease is over.
  const letGo = async (hasActed: boolean) => {
    const answer = await callStore(() => deployment.store.release(key, id, hasActed)).catch(() => 'unknown')
    if (answer === 'released') deployment.emit('key.released', { keyId, clientId, action })
    return answer
  }
  return {
    kind: 'claim',
    redemptionId,
    keepsOutcome: ownerId !== undefined,
    check: () => requireState(deployment, key, 'redeeming'),
    async settle({ retainUntil = ownRetention, outcome, familyClientId } = {}) {
      const sealed = seal(attempt, outcome)
      kept = sealed
      const settlement = {
        ...(sealed !== undefined && { outcome: sealed }),
        ...(familyClientId !== undefined && { familyClientId }),
      }
      const until = Math.max(retainUntil, ownRetention)
      const answer = await callStore(() => deployment.store.settle(key, id, until, settlement))
      if (answer !== 'settled') throw lost(answer, key)
      deployment.emit('key.redeemed', { keyId, clientId, subject, action, redemptionId })
    },
    release: async (hasActed = false) => (await letGo(hasActed)) === 'released',
    async giveUp(hasActed) {
      const answer = await letGo(hasActed)
      if (answer === 'released' || answer === 'revoked') return 'ended'
      return answer === 'lost' ? lostTo(deployment, attempt, kept) : 'unknown'
    },
  }
}

/** Who has a claim that is not this attempt's any more: itself, having settled it with that outcome, or another. */
async function lostTo(
  { store }: StoringDeployment,
  { key, ownerId }: Attempt,
  kept: string | undefined,
): Promise<Fate> {
  const recalled = ownerId === undefined ? undefined : await store.recall(key, ownerId).catch(() => undefined)
  if (recalled?.outcome !== undefined && kept !== undefined)
    return recalled.outcome === kept ? 'settled' : 'superseded'
  const now = recalled && (await store.find(key).catch(() => undefined))
  return now?.state === 'redeeming' ? 'superseded' : 'unknown'
}

function seal({ sealer, redeemed: { request }, ownerId }: Attempt, outcome: Buffer | undefined) {
  if (outcome === undefined || ownerId === undefined || outcome.length > LONGEST_OUTCOME) return undefined
  return request === undefined ? undefined : sealer.seal(outcome, request)
}

/** Uses the proof that gives a bearer key an owner. The proof of a bound key was used during verification. */
export async function useProof({ key, proof, ownerId }: Attempt): Promise<void> {
  if (ownerId !== undefined && key.confirmation === undefined) await proof?.spend(key)
}

const LOST = { lost: 'key_redeeming', revoked: 'key_revoked', unknown: 'key_unknown' } as const

function lost(outcome: keyof typeof LOST, key: VerifiedKey): ProvisioningError {
  return stateRefusal(LOST[outcome], key)
}
