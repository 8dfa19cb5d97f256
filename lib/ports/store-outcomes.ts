/**
 * The answer of `record`.
 *
 * @example
 * function recordOutcome(insertedRows: number): RecordOutcome {
 *   return insertedRows === 1 ? 'recorded' : 'duplicate'
 * }
 */
export type RecordOutcome =
  | 'recorded'
  | 'duplicate'
  | 'revoked'
  | 'outstanding'
  | 'full'
  | 'locked'
  | 'unbound'

/**
 * The answer of `redeem`. `resumed`: the same owner had reserved the key, and its lease has ended.
 *
 * @example
 * const hasReservation: readonly RedeemOutcome[] = ['reserved', 'resumed']
 */
export type RedeemOutcome = 'reserved' | 'resumed' | 'redeeming' | 'redeemed' | 'revoked' | 'unknown'

/**
 * The answer of `settle`. `lost`: the reservation is not (or no longer) that of this attempt.
 *
 * @example
 * const undoTheAction: readonly SettleOutcome[] = ['lost', 'revoked', 'unknown']
 */
export type SettleOutcome = 'settled' | 'lost' | 'revoked' | 'unknown'

/**
 * The answer of `release`. `lost`: the reservation is not (or no longer) that of this attempt.
 *
 * @example
 * async function giveUp(store: ProvisioningStore, ref: KeyRef, attempt: string): Promise<void> {
 *   const outcome: ReleaseOutcome = await store.release(ref, attempt)
 *   if (outcome !== 'released') console.warn(`Key ${ref.jti} was not released: ${outcome}`)
 * }
 */
export type ReleaseOutcome = 'released' | 'lost' | 'revoked' | 'unknown'

/**
 * The answer of `revokeKey` and of a store's `revoke`. `unchanged`: the key was revoked already. `redeemed`: the key
 * has been redeemed, so it is too late.
 *
 * @example
 * const key = { clientId: 'fleet', keyId: 'UxQ2fQ0Vn7bWq1mJc9hLtA' }
 * const outcome: RevokeOutcome = await keys.revokeKey(key)
 * if (outcome === 'redeemed') await keys.revokeFamily(key)
 */
export type RevokeOutcome = 'revoked' | 'unchanged' | 'redeemed' | 'unknown'

/**
 * The answer of `revokeFamily`. `unchanged`: nothing of the family was left. `not_redeemed`: there is no family yet.
 *
 * @example
 * const key = { clientId: 'fleet', keyId: 'UxQ2fQ0Vn7bWq1mJc9hLtA' }
 * const outcome: RevokeFamilyOutcome = await keys.revokeFamily(key)
 * if (outcome === 'not_redeemed') await keys.revokeKey(key)
 */
export type RevokeFamilyOutcome = 'revoked' | 'unchanged' | 'not_redeemed' | 'unknown'

/**
 * The answer of a store's `revokeIssuedBefore`. `unchanged`: keys of that time, or of a later one, were revoked already.
 * `full`: the store has the times of too many identities. `revokeAllIssuedBefore` rejects then.
 *
 * @example
 * const outcome: RevokeIssuedOutcome = await keys.revokeAllIssuedBefore(new Date(), { clientId: 'fleet' })
 */
export type RevokeIssuedOutcome = 'revoked' | 'unchanged' | 'full'

/**
 * The answer of `useOnce`. `limited`: the owner has used too many identifiers. `full`: the store is at its cap.
 *
 * @example
 * function useOnceOutcome(insertedRows: number): UseOnceOutcome {
 *   return insertedRows === 1 ? 'first' : 'used'
 * }
 */
export type UseOnceOutcome = 'first' | 'used' | 'limited' | 'full'
