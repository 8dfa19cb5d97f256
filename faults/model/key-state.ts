/** What one key is at a moment. */
export interface KeyState {
  readonly name: 'unborn' | 'issued' | 'redeeming' | 'redeemed' | 'revoked' | 'unknown'
  /** The call that has claimed or redeemed it. */
  readonly by?: string
  /** Whether whoever brought it here was told so: then replicas know of it, where they have to. */
  readonly isFirm?: boolean
  /** The earliest that it can have been claimed. */
  readonly since?: number
  /** What it was before it was revoked. */
  readonly before?: KeyState
}

/** The states that a step can lead to; none where it cannot be taken. */
export type Step = (state: KeyState) => readonly KeyState[]

const FINAL: ReadonlySet<KeyState['name']> = new Set(['redeemed', 'revoked', 'unknown'])

export const UNBORN: KeyState = { name: 'unborn' }
const ISSUED: KeyState = { name: 'issued' }
const UNKNOWN: KeyState = { name: 'unknown' }

export const be: Step = (state) => (state.name === 'unborn' ? [ISSUED] : [])

/** A claim: by which call, between which times, and after how long it may take another's over. */
export interface Claim {
  readonly by: string
  readonly isFirm: boolean
  readonly from: number
  readonly to: number
  readonly lease: number
}

export function claim({ by, isFirm, from, to, lease }: Claim): Step {
  return (state) => {
    const isOver = state.name === 'redeeming' && to >= (state.since ?? 0) + lease
    return state.name === 'issued' || isOver ? [{ name: 'redeeming', by, isFirm, since: from }] : []
  }
}

export function settle(by: string, isFirm: boolean): Step {
  return (state) => (isClaimedBy(state, by) ? [{ name: 'redeemed', by, isFirm }] : [])
}

/** Gives back what the call has claimed; of a key that was revoked or forgotten meanwhile there is nothing to give. */
export function release(by: string): Step {
  return (state) => {
    if (isClaimedBy(state, by)) return [ISSUED]
    return state.name === 'revoked' || state.name === 'unknown' ? [state] : []
  }
}

export function revoke(isFirm: boolean): Step {
  return (state) => {
    if (FINAL.has(state.name)) return [state]
    return state.name === 'unborn' ? [] : [{ name: 'revoked', isFirm, before: state }]
  }
}

/** To see a key in one of these states changes nothing. */
export function see(...names: readonly KeyState['name'][]): Step {
  return (state) => (names.includes(state.name) ? [state] : [])
}

export function seeRedeemedBy(by: string): Step {
  return (state) => (state.name === 'redeemed' && state.by === by ? [state] : [])
}

/** What `settle` finds when the claim is gone. */
export function seeClaimLost(by: string): Step {
  return (state) => (isClaimedBy(state, by) || state.name === 'revoked' ? [] : [state])
}

export const forget: Step = (state) => [state.name === 'unborn' ? UNBORN : UNKNOWN]

/** A replica takes over that may not know what came last; what had to be replicated before it was told stays. */
export const failOverReplicated: Step = (state) => (state.isFirm === true ? [state] : undo(state))

/** A replica takes over that may not know what came last, whoever was told of it. */
export const failOver: Step = undo

function undo(state: KeyState): readonly KeyState[] {
  const { name, by, before, since = 0 } = state
  if (name === 'unborn' || name === 'unknown') return [state]
  const earlier = before === undefined ? [] : undo(before)
  // A release can be undone as well: a key that was claimed once may be found claimed.
  const claimed: KeyState = { name: 'redeeming', by: by ?? '', isFirm: true, since }
  return [state, ISSUED, UNKNOWN, claimed, ...earlier]
}

function isClaimedBy(state: KeyState, by: string): boolean {
  return state.name === 'redeeming' && state.by === by
}

export function nameOf(state: KeyState): string {
  const { name, by, isFirm, before } = state
  return [name, by, isFirm, before && nameOf(before)].join('/')
}
