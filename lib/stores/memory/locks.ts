import type { Lock, LockOutcome, UnlockOutcome } from '../../ports/store.js'
import { replaces, strongerOf } from '../monitoring-arguments.js'
import { type Slot, Slots } from './slots.js'
import type { Sweep } from './sweep.js'

/** The locks of identities: one for each. */
export class LockTable {
  readonly #byIdentity = new Map<string, Slot<Lock>>()
  readonly #slots: Slots<Lock>
  readonly #maximum: number

  constructor(sweep: Sweep, maximum: number) {
    this.#slots = new Slots(sweep, ({ clientId }) => this.#byIdentity.delete(clientId))
    this.#maximum = maximum
  }

  /** The locks of a key: that of its client, and that of its subject. */
  ofKey({ clientId, subject }: { readonly clientId: string; readonly subject: string }): KeyLocks {
    if (this.#byIdentity.size === 0) return UNLOCKED
    return { ofClient: this.#get(clientId), ofSubject: this.#get(subject) }
  }

  /** `full`: nothing is changed, and nothing is evicted. */
  add(lock: Lock): LockOutcome | 'full' {
    const { clientId } = lock
    const present = this.#get(clientId)
    if (present !== undefined && !replaces(lock, present)) return 'unchanged'
    const slot = this.#byIdentity.get(clientId)
    if (slot !== undefined) this.#slots.replace(slot, lock)
    else if (this.#hasPlace()) this.#byIdentity.set(clientId, this.#slots.fill(lock))
    else return 'full'
    return 'locked'
  }

  remove(identity: string): UnlockOutcome {
    const outcome = this.#get(identity) === undefined ? 'unknown' : 'unlocked'
    this.#forget(identity)
    return outcome
  }

  all(): readonly Lock[] {
    return [...this.#byIdentity.values()].flatMap((slot) => this.#slots.entryIn(slot) ?? [])
  }

  #get(identity: string): Lock | undefined {
    return this.#slots.entryIn(this.#byIdentity.get(identity))
  }

  #hasPlace(): boolean {
    if (this.#byIdentity.size < this.#maximum) return true
    for (const [identity, slot] of this.#byIdentity)
      if (this.#slots.entryIn(slot) === undefined) this.#forget(identity)
    return this.#byIdentity.size < this.#maximum
  }

  #forget(identity: string): void {
    const slot = this.#byIdentity.get(identity)
    if (slot === undefined) return
    this.#byIdentity.delete(identity)
    this.#slots.clear(slot)
  }
}

/** The locks that concern a key. */
export interface KeyLocks {
  readonly ofClient: Lock | undefined
  readonly ofSubject: Lock | undefined
}

export const UNLOCKED: KeyLocks = Object.freeze({ ofClient: undefined, ofSubject: undefined })

/** The lock that `find` answers. */
export function strongestOf({ ofClient, ofSubject }: KeyLocks): Lock | undefined {
  return strongerOf(ofClient, ofSubject)
}
