import { ProvisioningError } from '../base/errors.js'
import { callStore, type StoringDeployment } from '../ports/deployment.js'
import type { Redeemed, Reservation, Settled } from './reservation.js'
import type { Redeem } from './reserve.js'
import type { Verified } from './verified.js'

/** What an action did, and how to take it back. */
export interface Done<T> extends Omit<Settled, 'outcome'> {
  /** What it answers with: plain JSON. */
  readonly result: T
  /** Tells those who observe that it is there. */
  emit(): void
  /** @param isSuperseded whether another attempt at the same redemption goes on with what was there before */
  undo?(isSuperseded: boolean): Promise<unknown>
}

/** An action of ours that a key is redeemed for. */
export interface Action<J, T> extends Redeemed {
  /** Whether it can be done, as things stand: asked before the claim, so that a refusal does not even claim. */
  validate(): Promise<J>
  /** Does it. One that did it before, and was interrupted before the key was settled, finds what it left and goes on from there. */
  act(validated: J, redemptionId: string): Promise<Done<T>>
}

/** Redeems a key for an action: claim, act, settle; or release, when the action does not succeed. */
export type RunAction = <J, T extends object>(verified: Verified, action: Action<J, T>) => Promise<T>

export function actionRunner(deployment: StoringDeployment, redeem: Redeem): RunAction {
  return async function runAction<J, T extends object>(verified: Verified, action: Action<J, T>): Promise<T> {
    const validated = await validateFirst(deployment, verified, action)
    const redemption = await redeem(verified, action)
    // What was answered the first time, to the letter.
    if (redemption.kind === 'repetition') return JSON.parse(redemption.outcome.toString()) as T
    const done = await actOrRelease(redemption, async () =>
      action.act(validated === undefined ? await action.validate() : validated.as, redemption.redemptionId),
    )
    await settleOrUndo(redemption, done)
    done.emit()
    return done.result
  }
}

/**
 * What the first attempt has done may be what a second is refused for: validated is only what nobody is at, or has been.
 */
async function validateFirst<J>(
  deployment: StoringDeployment,
  { key, state }: Verified,
  action: Pick<Action<J, object>, 'validate'>,
): Promise<{ readonly as: J } | undefined> {
  if (state !== 'issued') return undefined
  try {
    return { as: await action.validate() }
  } catch (refusal) {
    const now = await callStore(() => deployment.store.find(key))
    if (now?.state === 'redeeming' || now?.state === 'redeemed') return undefined
    throw refusal
  }
}

async function actOrRelease<T>(claim: Reservation, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    // A registry that did not answer may have saved it.
    await claim.release(error instanceof ProvisioningError && error.reason === 'registry_unavailable')
    throw error
  }
}

async function settleOrUndo<T>(
  claim: Reservation,
  { result, emit, undo, ...settled }: Done<T>,
): Promise<void> {
  const takeBack = (isSuperseded = false) => undo?.(isSuperseded).catch(emit)
  try {
    await claim.settle({ ...settled, outcome: Buffer.from(JSON.stringify(result)) })
  } catch (error) {
    const reason = error instanceof ProvisioningError ? error.reason : undefined
    const isUncertain = reason === 'store_unavailable'
    // Nobody waits for a store that does not answer any longer than it has taken already.
    if (claim.keepsOutcome && isUncertain) void findOut(claim, { emit, ...(undo && { takeBack }) })
    else await takeBack(reason === 'key_redeeming')
    throw error
  }
}

/** What is to be done once it is known whether a settlement took place. */
interface Ends {
  /** Absent when nothing stands without a settlement. */
  readonly takeBack?: (isSuperseded: boolean) => unknown
  readonly emit: () => void
}

/**
 * Of a settlement whose answer got lost nobody knows whether it took place. If it did not, the key can be released, or
 * another attempt has the claim, and what was done is taken back; else the holder asks again and gets the outcome that is
 * kept, so what was done stays. The release may get lost as well, and take place: until what was done is gone, the key
 * is good for nothing else.
 */
async function findOut(claim: Reservation, { takeBack, emit }: Ends): Promise<void> {
  const fate = await claim.giveUp(takeBack !== undefined)
  if (fate === 'ended' || fate === 'superseded') await takeBack?.(fate === 'superseded')
  else emit()
}
