/** The state of a key at one moment. */
export interface KeyState {
  readonly name: 'not issued' | 'issued' | 'redeeming' | 'redeemed' | 'revoked' | 'unknown'
  /** The call that has reserved or redeemed the key. */
  readonly by?: string
  /** Whether the caller who caused this state got a success. If replication is required, replicas then have it too. */
  readonly isConfirmed?: boolean
  /** The earliest possible time of the reservation. */
  readonly reservedSince?: number
  /** The state before the revocation. */
  readonly before?: KeyState
}

/** The possible next states; none if the step is impossible in this state. */
export type Step = (state: KeyState) => readonly KeyState[]

const FINAL: ReadonlySet<KeyState['name']> = new Set(['redeemed', 'revoked', 'unknown'])

export const NOT_ISSUED: KeyState = { name: 'not issued' }
const ISSUED: KeyState = { name: 'issued' }
const UNKNOWN: KeyState = { name: 'unknown' }

export const issue: Step = (state) => (state.name === 'not issued' ? [ISSUED] : [])

/** A reservation by a call, between two times. It can replace another one that is older than the lease. */
export interface Reservation {
  readonly by: string
  readonly isConfirmed: boolean
  readonly from: number
  readonly to: number
  readonly leaseMilliseconds: number
}

export function reserve({ by, isConfirmed, from, to, leaseMilliseconds }: Reservation): Step {
  return (state) => {
    const isOver = state.name === 'redeeming' && to >= (state.reservedSince ?? 0) + leaseMilliseconds
    return state.name === 'issued' || isOver
      ? [{ name: 'redeeming', by, isConfirmed, reservedSince: from }]
      : []
  }
}

export function settle(by: string, isConfirmed: boolean): Step {
  return (state) => (isReservedBy(state, by) ? [{ name: 'redeemed', by, isConfirmed }] : [])
}

/** Releases the reservation of a call. This has no effect on a key that was revoked or forgotten in the meantime. */
export function release(by: string): Step {
  return (state) => {
    if (isReservedBy(state, by)) return [ISSUED]
    return state.name === 'revoked' || state.name === 'unknown' ? [state] : []
  }
}

export function revoke(isConfirmed: boolean): Step {
  return (state) => {
    if (FINAL.has(state.name)) return [state]
    return state.name === 'not issued' ? [] : [{ name: 'revoked', isConfirmed, before: state }]
  }
}

/** Requires one of these states, and changes nothing. */
export function observe(...names: readonly KeyState['name'][]): Step {
  return (state) => (names.includes(state.name) ? [state] : [])
}

export function observeRedeemedBy(by: string): Step {
  return (state) => (state.name === 'redeemed' && state.by === by ? [state] : [])
}

/** Requires that the call has no reservation, and that the key is not revoked. */
export function observeReservationLost(by: string): Step {
  return (state) => (isReservedBy(state, by) || state.name === 'revoked' ? [] : [state])
}

export const forget: Step = (state) => [state.name === 'not issued' ? NOT_ISSUED : UNKNOWN]

/** A replica takes over that may lack the latest changes, but has all confirmed ones. */
export const failOverReplicated: Step = (state) => (state.isConfirmed === true ? [state] : undo(state))

/** A replica takes over that may lack the latest changes, confirmed or not. */
export const failOver: Step = undo

function undo(state: KeyState): readonly KeyState[] {
  const { name, by, before, reservedSince = 0 } = state
  if (name === 'not issued' || name === 'unknown') return [state]
  const earlier = before === undefined ? [] : undo(before)
  // A release can be lost too, so a key that was ever reserved may be reserved again.
  const reserved: KeyState = { name: 'redeeming', by: by ?? '', isConfirmed: true, reservedSince }
  return [state, ISSUED, UNKNOWN, reserved, ...earlier]
}

function isReservedBy(state: KeyState, by: string): boolean {
  return state.name === 'redeeming' && state.by === by
}

export function nameOf(state: KeyState): string {
  const { name, by, isConfirmed, before } = state
  return [name, by, isConfirmed, before && nameOf(before)].join('/')
}
