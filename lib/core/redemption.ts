import type { Confirmation, Holding, Settlement } from '../stores/store.js'
import { containReplay } from './containment.js'
import { asking, type StoringDeployment } from './deployment.js'
import { ProvisioningError, type Reason } from './errors.js'
import type { RedemptionAction } from './events.js'
import { LONGEST_OUTCOME } from './outcome.js'
import { randomId, type VerifiedKey } from './provisioning-key.js'
import { stateRefusal, type Verified } from './verification.js'

/** One attempt's claim on a key. It ends in `settle` or `release`, whichever is called first. */
export interface Claim {
  readonly kind: 'claim'
  /** Names the redemption: the same for all attempts that take one claim over from each other after a crash. */
  readonly redemptionId: string
  /** Whether the same request of the same holder is answered again with the outcome that `settle` is given. */
  readonly keepsOutcome: boolean
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
}

/** What a redemption ended in. */
export interface Settled extends Pick<Settlement, 'familyClientId'> {
  /** The NumericDate until which what the action brought forth can be used, if it ends at all. */
  readonly retainUntil?: number
  /** What is answered. One of more than 64 KiB is not kept. */
  readonly outcome?: Buffer
}

/** The outcome of a redemption whose answer got lost: its holder has asked for the same again. */
export interface Repetition {
  readonly kind: 'repetition'
  readonly outcome: Buffer
}

/** What a key is to be redeemed for. */
export interface Redeemed {
  readonly action: RedemptionAction
  /** The digest of where that is asked for, when there are several places for it. */
  readonly at?: string
  readonly address?: string | undefined
  /** What the one who redeems has proven to hold. Default: what the key is bound to. */
  readonly holds?: Confirmation | undefined
  /** The digest of what is asked for; `undefined` when it cannot be told: then nothing is kept for a repetition. */
  readonly request: () => Promise<string | undefined> | string | undefined
}

/**
 * Claims a verified key for one attempt; of any number of concurrent calls exactly one gets it. Who has redeemed it,
 * and has proven again to hold what it held, gets the outcome again for the same request.
 */
export type Redeem = (
  verified: Pick<Verified, 'key' | 'sealer'>,
  redeemed: Redeemed,
) => Promise<Claim | Repetition>

export function redeemer(deployment: StoringDeployment): Redeem {
  const attemptTo = attempter(deployment)
  return async function redeem(verified, redeemed) {
    const holder = holderOf(verified.key, redeemed)
    const attempt = { ...verified, redeemed, holder, id: randomId() }
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
function holderOf({ confirmation }: VerifiedKey, { holds = confirmation, action, at }: Redeemed) {
  if (holds === undefined) return undefined
  return JSON.stringify([holds.jkt ?? null, holds['x5t#S256'] ?? null, action, at ?? null])
}

interface Attempt extends Pick<Verified, 'key' | 'sealer'> {
  readonly id: string
  readonly redeemed: Redeemed
  readonly holder: string | undefined
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
  const isOfRedemption = STANDINGS.includes(reason)
  return (
    !isOfRedemption && code !== 'temporarily_unavailable' && code !== 'server_error' && code !== 'slow_down'
  )
}

const STANDINGS: readonly Reason[] = ['key_redeemed', 'key_redeeming', 'key_revoked', 'key_unknown']

function attempter(deployment: StoringDeployment) {
  const { store } = deployment

  async function resume(attempt: Attempt, holder: string): Promise<Claim> {
    const recalled = await asking(() => store.recall(attempt.key, holder))
    if (recalled === undefined) throw stateRefusal('key_revoked', attempt.key)
    return claim(deployment, attempt, recalled.redemption)
  }

  async function repeat(attempt: Attempt): Promise<Repetition> {
    const { key, holder, redeemed } = attempt
    const recalled = holder === undefined ? undefined : await asking(() => store.recall(key, holder))
    if (recalled !== undefined && recalled.outcome === undefined) throw stateRefusal('key_redeemed', key)
    const outcome = recalled?.outcome === undefined ? undefined : await open(attempt, recalled.outcome)
    if (outcome === undefined) {
      await containReplay(deployment, key, redeemed.address)
      throw stateRefusal('key_redeemed', key)
    }
    const { jti: keyId, clientId } = key
    deployment.emit('redemption.repeated', { keyId, clientId, action: redeemed.action })
    return { kind: 'repetition', outcome }
  }

  return async function attemptTo(attempt: Attempt): Promise<Claim | Repetition | 'pending'> {
    const { key, id, holder } = attempt
    const holding = holder === undefined ? undefined : holdingOf(deployment, holder)
    const outcome = await asking(() => store.redeem(key, id, holding))
    if (outcome === 'claimed') return claim(deployment, attempt, id)
    if (outcome === 'resumed' && holder !== undefined) return resume(attempt, holder)
    if (outcome === 'redeemed') return repeat(attempt)
    if (outcome === 'revoked' || outcome === 'unknown') throw stateRefusal(`key_${outcome}`, key)
    const isOwn = holder !== undefined && (await asking(() => store.recall(key, holder))) !== undefined
    if (isOwn) return 'pending'
    // It may have ended since it was looked at: then the next look tells.
    const now = holder === undefined ? undefined : await asking(() => store.find(key))
    if (now !== undefined && now.state !== 'redeeming') return 'pending'
    throw stateRefusal('key_redeeming', key)
  }
}

function holdingOf({ redemptionLeaseSeconds }: StoringDeployment, holder: string): Holding {
  return { holder, leaseSeconds: redemptionLeaseSeconds }
}

async function open({ sealer, redeemed }: Attempt, sealed: string): Promise<Buffer | undefined> {
  const request = await redeemed.request()
  return request === undefined ? undefined : sealer.open(sealed, request)
}

function pending(key: VerifiedKey): ProvisioningError {
  const message = 'The same redemption is still under way; ask again for its outcome.'
  const facts = { clientId: key.clientId, jti: key.jti, retryAfterSeconds: 2 }
  return new ProvisioningError('redemption_pending', message, { facts, disclosed: true })
}

function claim(deployment: StoringDeployment, attempt: Attempt, redemptionId: string): Claim {
  const { key, id, redeemed, holder } = attempt
  const { jti: keyId, clientId, subject } = key
  const { action } = redeemed
  const ownRetention = key.expiresAt + deployment.clockToleranceSeconds
  return {
    kind: 'claim',
    redemptionId,
    keepsOutcome: holder !== undefined,
    async settle({ retainUntil = ownRetention, outcome, familyClientId } = {}) {
      const sealed = await seal(attempt, outcome)
      const settlement = {
        ...(sealed !== undefined && { outcome: sealed }),
        ...(familyClientId !== undefined && { familyClientId }),
      }
      const until = Math.max(retainUntil, ownRetention)
      const answer = await asking(() => deployment.store.settle(key, id, until, settlement))
      if (answer !== 'settled') throw lost(answer, key)
      deployment.emit('key.redeemed', { keyId, clientId, subject, action, redemptionId })
    },
    async release(hasActed = false) {
      // A store that does not answer leaves the key claimed: dead until it expires, or until its holder's lease is over.
      const answer = await asking(() => deployment.store.release(key, id, hasActed)).catch(() => 'unknown')
      if (answer === 'released') deployment.emit('key.released', { keyId, clientId, action })
      return answer === 'released'
    },
  }
}

async function seal(
  { sealer, redeemed, holder }: Attempt,
  outcome: Buffer | undefined,
): Promise<string | undefined> {
  if (outcome === undefined || holder === undefined || outcome.length > LONGEST_OUTCOME) return undefined
  // One that broke off cannot be compared with another: what was done for it is done all the same.
  const request = await Promise.resolve()
    .then(redeemed.request)
    .catch(() => undefined)
  return request === undefined ? undefined : sealer.seal(outcome, request)
}

const LOST = { lost: 'key_redeeming', revoked: 'key_revoked', unknown: 'key_unknown' } as const

function lost(outcome: keyof typeof LOST, key: VerifiedKey): ProvisioningError {
  return stateRefusal(LOST[outcome], key)
}
