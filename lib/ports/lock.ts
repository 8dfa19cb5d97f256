/**
 * The kinds of locks, the weakest first.
 *
 * - `throttle`: the client may have one outstanding key at a time. If only the subject of a key is throttled: its client
 *   may have one outstanding key for that subject
 * - `stepUp`: every new key of the client or for the subject must be bound to a DPoP key or a certificate
 * - `lock`: the identity gets no keys, neither as client nor as subject, and its keys and access tokens are refused
 */
export const LOCK_KINDS = Object.freeze(['throttle', 'stepUp', 'lock'] as const)

/**
 * A kind of lock.
 *
 * @example
 * const gentle: readonly LockKind[] = ['throttle', 'stepUp']
 */
export type LockKind = (typeof LOCK_KINDS)[number]

/**
 * A lock of one identity. It can have one of each kind at the same time.
 *
 * @example
 * function describeLock({ clientId, kind, reason, until }: Lock): string {
 *   return `${clientId}: ${kind} until ${new Date(until * 1000).toISOString()}, because ${reason}`
 * }
 */
export interface Lock {
  /** The identity: a client, or the subject of keys. */
  readonly clientId: string
  readonly kind: LockKind
  /** The reason in words, or the id of a finding. */
  readonly reason: string
  /** The operator or the rule that locked it. */
  readonly author: string
  /** In seconds since the epoch. */
  readonly lockedAt: number
  /** The end of the lock, in seconds since the epoch. */
  readonly until: number
}

/** Whether the client or the subject of a key is locked, so that the key and its access token are refused. */
export function isLocked({ lock }: { readonly lock?: Lock }): boolean {
  return lock?.kind === 'lock'
}
