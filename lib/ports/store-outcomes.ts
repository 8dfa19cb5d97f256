/** The words that verbs may answer. The other verbs answer more than a word. */
export const ANSWERS = {
  record: ['recorded', 'duplicate', 'revoked', 'outstanding', 'full', 'locked', 'unbound'],
  redeem: ['reserved', 'resumed', 'redeeming', 'redeemed', 'revoked', 'unknown'],
  settle: ['settled', 'lost', 'revoked', 'unknown'],
  release: ['released', 'lost', 'revoked', 'unknown'],
  revoke: ['revoked', 'unchanged', 'redeemed', 'unknown'],
  revokeFamily: ['revoked', 'unchanged', 'not_redeemed', 'unknown'],
  revokeIssuedBefore: ['revoked', 'unchanged', 'full'],
  useOnce: ['first', 'used', 'limited', 'full'],
  notePresentation: ['noted', 'known', 'full', 'unknown'],
  lock: ['locked', 'unchanged', 'full'],
  unlock: ['unlocked', 'unknown'],
  closeFinding: ['closed', 'unknown'],
} as const

/**
 * The answer of `record`.
 *
 * @example
 * function recordOutcome(insertedRows: number): RecordOutcome {
 *   return insertedRows === 1 ? 'recorded' : 'duplicate'
 * }
 */
export type RecordOutcome = (typeof ANSWERS)['record'][number]

/**
 * The answer of `redeem`. `resumed`: the same owner had reserved the key, and its lease has ended.
 *
 * @example
 * const hasReservation: readonly RedeemOutcome[] = ['reserved', 'resumed']
 */
export type RedeemOutcome = (typeof ANSWERS)['redeem'][number]

/**
 * The answer of `settle`. `lost`: the reservation is not (or no longer) that of this attempt.
 *
 * @example
 * const undoTheAction: readonly SettleOutcome[] = ['lost', 'revoked', 'unknown']
 */
export type SettleOutcome = (typeof ANSWERS)['settle'][number]

/**
 * The answer of `release`. `lost`: the reservation is not (or no longer) that of this attempt.
 *
 * @example
 * async function giveUp(store: ProvisioningStore, ref: KeyRef, attempt: string): Promise<void> {
 *   const outcome: ReleaseOutcome = await store.release(ref, attempt)
 *   if (outcome !== 'released') console.warn(`Key ${ref.jti} was not released: ${outcome}`)
 * }
 */
export type ReleaseOutcome = (typeof ANSWERS)['release'][number]

/**
 * The answer of `revokeKey` and of a store's `revoke`. `unchanged`: the key was revoked already. `redeemed`: the key
 * has been redeemed, so it is too late.
 *
 * @example
 * const key = { clientId: 'fleet', keyId: 'UxQ2fQ0Vn7bWq1mJc9hLtA' }
 * const outcome: RevokeOutcome = await keys.revokeKey(key)
 * if (outcome === 'redeemed') await keys.revokeFamily(key)
 */
export type RevokeOutcome = (typeof ANSWERS)['revoke'][number]

/**
 * The answer of `revokeFamily`. `unchanged`: nothing of the family was left. `not_redeemed`: there is no family yet.
 *
 * @example
 * const key = { clientId: 'fleet', keyId: 'UxQ2fQ0Vn7bWq1mJc9hLtA' }
 * const outcome: RevokeFamilyOutcome = await keys.revokeFamily(key)
 * if (outcome === 'not_redeemed') await keys.revokeKey(key)
 */
export type RevokeFamilyOutcome = (typeof ANSWERS)['revokeFamily'][number]

/**
 * The answer of a store's `revokeIssuedBefore`. `unchanged`: keys of that time, or of a later one, were revoked already.
 * `full`: the store has the times of too many identities. `revokeAllIssuedBefore` rejects then.
 *
 * @example
 * const outcome: RevokeIssuedOutcome = await keys.revokeAllIssuedBefore(new Date(), { clientId: 'fleet' })
 */
export type RevokeIssuedOutcome = (typeof ANSWERS)['revokeIssuedBefore'][number]

/**
 * The answer of `useOnce`. `limited`: the owner has used too many identifiers. `full`: the store is at its cap.
 *
 * @example
 * function useOnceOutcome(insertedRows: number): UseOnceOutcome {
 *   return insertedRows === 1 ? 'first' : 'used'
 * }
 */
export type UseOnceOutcome = (typeof ANSWERS)['useOnce'][number]

/**
 * What `notePresentation` has done.
 *
 * @example
 * const changedSomething: NotePresentationOutcome = 'noted'
 */
export type NotePresentationOutcome = (typeof ANSWERS)['notePresentation'][number]

/**
 * The answer of `lock`. `full`: the store has too many locked identities. `lockClient` rejects then.
 *
 * @example
 * const isInForce: readonly LockOutcome[] = ['locked', 'unchanged']
 */
export type LockOutcome = (typeof ANSWERS)['lock'][number]

/**
 * The answer of `unlock`.
 *
 * @example
 * const wasLocked: UnlockOutcome = 'unlocked'
 */
export type UnlockOutcome = (typeof ANSWERS)['unlock'][number]

/**
 * The answer of `closeFinding`.
 *
 * @example
 * const wasOpen: CloseFindingOutcome = 'closed'
 */
export type CloseFindingOutcome = (typeof ANSWERS)['closeFinding'][number]
