import type { Lock, LockKind, LockOutcome, UnlockOutcome } from '../../ports/store.js'
import { strongestOf } from '../monitoring-arguments.js'
import type { Sweep } from './sweep.js'

/**
 * The locks of identities: one of each kind for each identity. Locks that have ended stay until others need their place, so
 * that a clock that was ahead for a moment has ended none.
 */
export class LockTable {
  readonly #byIdentity = new Map<string, readonly Lock[]>()
  readonly #sweep: Sweep
  readonly #maximum: number

  /** @param maximum the most locked identities */
  constructor(sweep: Sweep, maximum: number) {
    this.#sweep = sweep
    this.#maximum = maximum
  }

  ofKey({ clientId, subject }: { readonly clientId: string; readonly subject: string }): KeyLocks {
    if (this.#byIdentity.size === 0) return UNLOCKED
    return { ofClient: this.#of(clientId), ofSubject: this.#of(subject) }
  }

  /** The lock that `find` answers with a key. */
  strongestOfKey(key: { readonly clientId: string; readonly subject: string }): Lock | undefined {
    const locks = this.ofKey(key)
    return locks === UNLOCKED ? undefined : strongestOf([...locks.ofClient, ...locks.ofSubject])
  }

  /** `full`: nothing is changed, and nothing is evicted. */
  add(lock: Lock): LockOutcome {
    const { clientId } = lock
    const present = this.#of(clientId)
    const same = present.find(({ kind }) => kind === lock.kind)
    if (same !== undefined && same.until > lock.until) return 'unchanged'
    if (!this.#byIdentity.has(clientId) && !this.#hasPlace()) return 'full'
    this.#byIdentity.set(clientId, Object.freeze([...present.filter((one) => one !== same), lock]))
    return 'locked'
  }

  /** Ends the locks of all kinds. */
  remove(identity: string): UnlockOutcome {
    const outcome = this.#of(identity).length === 0 ? 'unknown' : 'unlocked'
    this.#byIdentity.delete(identity)
    return outcome
  }

  all(): readonly Lock[] {
    return [...this.#byIdentity.keys()].flatMap((identity) => this.#of(identity))
  }

  /** The locks of an identity that have not ended. */
  #of(identity: string): readonly Lock[] {
    const locks = this.#byIdentity.get(identity) ?? NONE
    const now = this.#sweep.nowSeconds()
    return locks.every(({ until }) => until >= now) ? locks : locks.filter(({ until }) => until >= now)
  }

  #hasPlace(): boolean {
    if (this.#byIdentity.size < this.#maximum) return true
    for (const identity of this.#byIdentity.keys())
      if (this.#of(identity).length === 0) this.#byIdentity.delete(identity)
    return this.#byIdentity.size < this.#maximum
  }
}

const NONE: readonly Lock[] = Object.freeze([])

export interface KeyLocks {
  readonly ofClient: readonly Lock[]
  readonly ofSubject: readonly Lock[]
}

export const UNLOCKED: KeyLocks = Object.freeze({ ofClient: NONE, ofSubject: NONE })

export function hasKind(locks: readonly Lock[], wanted: LockKind): boolean {
  return locks.some(({ kind }) => kind === wanted)
}
