import { ProvisioningError } from '../base/errors.js'
import { asking, type StoringDeployment } from '../ports/deployment.js'
import type { Claim, Redeemed, Settled } from './claim.js'
import type { Redeem } from './redemption.js'
import type { Verified } from './verification.js'

/** What an action did, and how to take it back. */
export interface Done<T> extends Omit<Settled, 'outcome'> {
  /** What it answers with: plain JSON. */
  readonly result: T
  /** Tells those who observe that it is there. */
  tell(): void
  /** @param isSuperseded whether another attempt at the same redemption goes on with what was there before */
  undo?(isSuperseded: boolean): Promise<unknown>
}

/** An action of ours that a key is redeemed for. */
export interface Action<J, T> extends Redeemed {
  /** Whether it can be done, as things stand: asked before the claim, so that a refusal does not even claim. */
  judge(): Promise<J>
  /** Does it. One that did it before, and was interrupted before the key was settled, finds what it left and goes on from there. */
  act(judged: J, redemptionId: string): Promise<Done<T>>
}

/** Redeems a key for an action: claim, act, settle; or release, when the action does not succeed. */
export type Perform = <J, T extends object>(verified: Verified, action: Action<J, T>) => Promise<T>

export function performer(deployment: StoringDeployment, redeem: Redeem): Perform {
  return async function perform<J, T extends object>(verified: Verified, action: Action<J, T>): Promise<T> {
    const judged = await judgeFirst(deployment, verified, action)
    const redemption = await redeem(verified, action)
    // What was answered the first time, to the letter.
    if (redemption.kind === 'repetition') return JSON.parse(redemption.outcome.toString()) as T
    const done = await actOrRelease(redemption, async () =>
      action.act(judged === undefined ? await action.judge() : judged.as, redemption.redemptionId),
    )
    await settleOrUndo(redemption, done)
    done.tell()
    return done.result
  }
}

/**
 * What the first attempt has done may be what a second is refused for: judged is only what nobody is at, or has been.
 */
async function judgeFirst<J>(
  deployment: StoringDeployment,
  { key, state }: Verified,
  action: Pick<Action<J, object>, 'judge'>,
): Promise<{ readonly as: J } | undefined> {
  if (state !== 'issued') return undefined
  try {
    return { as: await action.judge() }
  } catch (refusal) {
    const now = await asking(() => deployment.store.find(key))
    if (now?.state === 'redeeming' || now?.state === 'redeemed') return undefined
    throw refusal
  }
}

async function actOrRelease<T>(claim: Claim, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    // A registry that did not answer may have saved it.
    await claim.release(error instanceof ProvisioningError && error.reason === 'registry_unavailable')
    throw error
  }
}

async function settleOrUndo<T>(claim: Claim, { result, tell, undo, ...settled }: Done<T>): Promise<void> {
  const takeBack = (isSuperseded = false) => undo?.(isSuperseded).catch(tell)
  try {
    await claim.settle({ ...settled, outcome: Buffer.from(JSON.stringify(result)) })
  } catch (error) {
    const reason = error instanceof ProvisioningError ? error.reason : undefined
    const isUncertain = reason === 'store_unavailable'
    // Nobody waits for a store that does not answer any longer than it has taken already.
    if (claim.keepsOutcome && isUncertain) void findOut(claim, { tell, ...(undo && { takeBack }) })
    else await takeBack(reason === 'key_redeeming')
    throw error
  }
}

/** What is to be done once it is known whether a settlement took place. */
interface Ends {
  /** Absent when nothing stands without a settlement. */
  readonly takeBack?: (isSuperseded: boolean) => unknown
  readonly tell: () => void
}

/**
 * Of a settlement whose answer got lost nobody knows whether it took place. If it did not, the key can be released, or
 * another attempt has the claim, and what was done is taken back; else the holder asks again and gets the outcome that is
 * kept, so what was done stays. The release may get lost as well, and take place: until what was done is gone, the key
 * is good for nothing else.
 */
async function findOut(claim: Claim, { takeBack, tell }: Ends): Promise<void> {
  const fate = await claim.giveUp(takeBack !== undefined)
  if (fate === 'ended' || fate === 'superseded') await takeBack?.(fate === 'superseded')
  else tell()
}
