import type { ProvisioningError } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import type { RequestSource } from '../base/request.js'
import { callStore, type StoringDeployment } from '../ports/deployment.js'
import type { RedemptionAction } from '../ports/redemption.js'
import type { Confirmation, ReleaseOutcome, Settlement } from '../ports/store.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import { requireState, stateRefusal, type Verified } from './key-state.js'
import { MAX_OUTCOME_BYTES } from './outcome.js'

/**
 * The end of a reservation: `ended` (released, or the key was revoked), `settled`, `superseded` (another attempt has
 * resumed the redemption), or `unknown`.
 */
export type Fate = 'ended' | 'settled' | 'superseded' | 'unknown'

/** What to store about the result of a redemption. */
export interface SettleOptions extends Pick<Settlement, 'familyClientId'> {
  /** The NumericDate until which the results of the action can be used, if they end. */
  readonly retainUntil?: number
  /** The answer. It is kept for a repeated request if it has at most 64 KiB. */
  readonly outcome?: Buffer
}

/** A request that redeems a key. */
export interface RedemptionRequest {
  readonly action: RedemptionAction
  /** The digest of the route, if several routes have the same action. */
  readonly route?: string
  readonly source?: RequestSource | undefined
  /** The key or certificate that the owner has proven to possess. Default: the one that the provisioning key is bound to. */
  readonly ownerConfirmation?: Confirmation | undefined
  /** Recognizes a repeated request. `undefined` if nothing can: then no outcome is kept. */
  readonly digest: string | undefined
  /**
   * Checks that the results of the redemption still exist, before its answer is repeated.
   *
   * @param outcome the answer
   */
  readonly requireResults?: (outcome: Buffer) => Promise<void>
  /** Recognizes a repeated request if one of the two has no digest, less exactly: by its URL and the length of its body. */
  readonly approximateDigest?: string
  /** Whether the request has no digest only because no memory was left for its body. */
  readonly isIncomparable?: boolean
}

export interface Attempt extends Pick<Verified, 'key' | 'state' | 'outcomeCipher' | 'proof'> {
  /** Random. The id of the first attempt is also the `redemptionId`. */
  readonly id: string
  readonly request: RedemptionRequest
  /** Names the owner to the store. `undefined` for a bearer key, which has no owner. */
  readonly ownerId: string | undefined
}

/** The reservation of a key for one attempt. The first call of `settle` or `release` ends it. */
export class Reservation {
  readonly kind = 'reservation'
  /** Names the redemption. Attempts that resume it after a crash have the same name. */
  readonly redemptionId: string
  readonly #deployment: StoringDeployment
  readonly #attempt: Attempt
  /** The encrypted outcome that this attempt has settled the key with. */
  #kept: string | undefined

  constructor(deployment: StoringDeployment, attempt: Attempt, redemptionId: string) {
    this.#deployment = deployment
    this.#attempt = attempt
    this.redemptionId = redemptionId
  }

  /** Whether the owner can repeat the request and get the outcome again. */
  get keepsOutcome(): boolean {
    return this.#attempt.ownerId !== undefined
  }

  /**
   * Checks that the key is still reserved and has not expired.
   *
   * @throws ProvisioningError `key_revoked`, `key_expired`, `key_unknown`, `key_redeeming`, `store_unavailable`
   */
  check(): Promise<void> {
    return requireState(this.#deployment, this.#attempt.key, 'redeeming')
  }

  /**
   * Redeems the key for good, after the action succeeded.
   *
   * @throws ProvisioningError when the reservation was lost: then the action must be undone
   */
  async settle({ retainUntil, outcome, familyClientId }: SettleOptions = {}): Promise<void> {
    const { store, emit, clockToleranceSeconds } = this.#deployment
    const { key, id, request } = this.#attempt
    this.#kept = sealOutcome(this.#attempt, outcome)
    const settlement = withoutUndefined({
      outcome: this.#kept,
      request: markOf(this.#attempt),
      familyClientId,
    })
    const until = Math.max(retainUntil ?? 0, key.expiresAt + clockToleranceSeconds)
    const answer = await callStore(() => store.settle(key, id, until, settlement))
    if (answer !== 'settled') throw lostRefusal(answer, key)
    const { jti: keyId, clientId, subject, issuedAt, expiresAt } = key
    const { redemptionId } = this
    const details = { keyId, clientId, subject, action: request.action, redemptionId, issuedAt, expiresAt }
    emit('key.redeemed', details, request.source)
  }

  /**
   * Gives the key back, after the action failed. Never throws.
   *
   * @param hasActed whether part of the action may remain. The key is then good for this redemption only. The store may
   *   do this without answering.
   * @returns whether the key may be presented again
   */
  async release(hasActed = false): Promise<boolean> {
    return (await this.#release(hasActed)) === 'released'
  }

  /**
   * Handles a settlement whose answer was lost. Releases the key, which has no effect if the settlement took place. Never
   * throws.
   *
   * @returns how the reservation ended
   */
  async releaseUnlessSettled(hasActed: boolean): Promise<Fate> {
    const answer = await this.#release(hasActed)
    if (answer === 'released' || answer === 'revoked') return 'ended'
    return answer === 'lost' ? findFate(this.#deployment, this.#attempt, this.#kept) : 'unknown'
  }

  /** If the store does not answer, the key stays reserved until it expires, or until the lease of its owner ends. */
  async #release(hasActed: boolean): Promise<ReleaseOutcome> {
    const { store, emit } = this.#deployment
    const { key, id, request } = this.#attempt
    const answer = await callStore(() => store.release(key, id, hasActed)).catch(() => 'unknown' as const)
    const { jti: keyId, clientId, subject } = key
    if (answer === 'released')
      emit('key.released', { keyId, clientId, subject, action: request.action }, request.source)
    return answer
  }
}

/** Finds out who ended the reservation of this attempt: the attempt itself, by settling it, or another attempt. */
async function findFate(
  { store }: StoringDeployment,
  { key, ownerId }: Attempt,
  kept: string | undefined,
): Promise<Fate> {
  const recalled = ownerId === undefined ? undefined : await store.recall(key, ownerId).catch(() => undefined)
  if (recalled?.outcome !== undefined && kept !== undefined)
    return recalled.outcome === kept ? 'settled' : 'superseded'
  const entry = recalled && (await store.find(key).catch(() => undefined))
  return entry?.state === 'redeeming' ? 'superseded' : 'unknown'
}

/** Encrypts an outcome. Returns `undefined` for one that is not kept, because nobody can ask for it, or for its length. */
function sealOutcome({ outcomeCipher, request: { digest }, ownerId }: Attempt, outcome: Buffer | undefined) {
  if (outcome === undefined || ownerId === undefined || digest === undefined) return undefined
  return outcome.length > MAX_OUTCOME_BYTES ? undefined : outcomeCipher.seal(outcome, digest)
}

/** The mark by which the store recognizes the request of an owner. `undefined` for a bearer key. */
function markOf({ outcomeCipher, request, ownerId }: Attempt): string | undefined {
  const digest = request.digest ?? request.approximateDigest
  return ownerId === undefined || digest === undefined ? undefined : outcomeCipher.mark(digest)
}

/** Whether a request has a mark. The first request may have had no digest, so its approximate digest counts too. */
export function hasMark({ outcomeCipher, request }: Attempt, mark: string | undefined): boolean {
  const { digest, approximateDigest } = request
  return [digest, approximateDigest].some((one) => one !== undefined && outcomeCipher.mark(one) === mark)
}

/** Uses the DPoP proof that gives a bearer key an owner. The proof of a bound key was used during verification. */
export async function useProof({ key, proof, ownerId }: Attempt): Promise<void> {
  if (ownerId !== undefined && key.confirmation === undefined) await proof?.spend(key)
}

const LOST_REASONS = { lost: 'key_redeeming', revoked: 'key_revoked', unknown: 'key_unknown' } as const

function lostRefusal(outcome: keyof typeof LOST_REASONS, key: VerifiedKey): ProvisioningError {
  return stateRefusal(LOST_REASONS[outcome], key)
}
