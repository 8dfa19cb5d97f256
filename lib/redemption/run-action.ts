import { ProvisioningError } from '../base/errors.js'
import type { RequestSource } from '../base/request.js'
import { callStore, type StoringDeployment } from '../ports/deployment.js'
import type { Verified } from './key-state.js'
import type { RedemptionRequest, Reservation, SettleOptions } from './reservation.js'
import { reserve } from './reserve.js'

/** The result of an action, and how to undo it. */
export interface ActionResult<T> extends Omit<SettleOptions, 'outcome'> {
  /** The answer: plain JSON. */
  readonly result: T
  /** Emits the events of the action, with the source of its request. */
  emit(source: RequestSource | undefined): void
  /** @param isSuperseded whether another attempt has resumed the redemption, from the state before this attempt */
  undo?(isSuperseded: boolean): Promise<unknown>
}

/** An action of ours that a key is redeemed for: an exchange, a binding, a registration. */
export interface Action<V, T> extends RedemptionRequest {
  /** Checks whether the action is possible, before the key is reserved: a refusal then reserves nothing. */
  validate(): Promise<V>
  /** Runs the action. If an earlier attempt was interrupted, it finds that attempt's result and continues. */
  act(validated: V, redemptionId: string): Promise<ActionResult<T>>
}

/** Redeems a key for an action: reserve, act, settle. If the action fails, the key is released. */
export async function runAction<V, T extends object>(
  deployment: StoringDeployment,
  verified: Verified,
  action: Action<V, T>,
): Promise<T> {
  const validated = await validateFirst(deployment, verified, action)
  const reserved = await reserve(deployment, verified, action)
  // The first answer, byte for byte.
  if (reserved.kind === 'repetition') return JSON.parse(reserved.outcome.toString()) as T
  const done = await actOrRelease(reserved, async () =>
    action.act(validated === undefined ? await action.validate() : validated.as, reserved.redemptionId),
  )
  const emit = () => done.emit(action.source)
  await settleOrUndo(deployment, reserved, { ...done, emit })
  emit()
  return done.result
}

/** Skips the check once the key is reserved or redeemed, because the effect of the first attempt would fail it. */
async function validateFirst<V>(
  deployment: StoringDeployment,
  { key, state }: Verified,
  action: Pick<Action<V, object>, 'validate'>,
): Promise<{ readonly as: V } | undefined> {
  if (state !== 'issued') return undefined
  try {
    return { as: await action.validate() }
  } catch (refusal) {
    const now = await callStore(() => deployment.store.find(key))
    if (now?.state === 'redeeming' || now?.state === 'redeemed') return undefined
    throw refusal
  }
}

async function actOrRelease<T>(reservation: Reservation, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    // A registry that did not answer may have saved the client.
    await reservation.release(error instanceof ProvisioningError && error.reason === 'registry_unavailable')
    throw error
  }
}

async function settleOrUndo<T>(
  { background }: StoringDeployment,
  reservation: Reservation,
  { result, emit, undo, ...settled }: ActionResult<T> & { emit(): void },
): Promise<void> {
  // If it cannot be undone, it stays: operators must know.
  const undoOrEmit = (isSuperseded = false) => undo?.(isSuperseded).catch(emit)
  try {
    await reservation.settle({ ...settled, outcome: Buffer.from(JSON.stringify(result)) })
  } catch (error) {
    const reason = error instanceof ProvisioningError ? error.reason : undefined
    const isUncertain = reason === 'store_unavailable'
    // In the background: the request has waited for the store long enough.
    if (reservation.keepsOutcome && isUncertain)
      background.run(() => settleUncertain(reservation, emit, undo && undoOrEmit))
    else await undoOrEmit(reason === 'key_redeeming')
    throw error
  }
}

/**
 * Handles a settlement whose answer was lost: it may have taken place.
 *
 * If it did not, the key is released and the action is undone. If it did, the owner repeats the request and gets the kept
 * outcome, so the result stays. The answer to the release may get lost too; until the action is undone, the key is good
 * for this redemption only.
 */
async function settleUncertain(
  reservation: Reservation,
  emit: () => void,
  undo: ((isSuperseded: boolean) => unknown) | undefined,
): Promise<void> {
  const fate = await reservation.releaseUnlessSettled(undo !== undefined)
  if (fate === 'ended' || fate === 'superseded') await undo?.(fate === 'superseded')
  else emit()
}
