import type { IssuedBefore, KeyRecord, RevokeIssuedOutcome } from '../../ports/store.js'
import { type Expiring, ExpiryQueue } from './expiry.js'

/** Revokes the keys of an identity that were issued at or before a time. */
interface NotBefore extends Expiring {
  /** `undefined`: all identities. */
  readonly identity: string | undefined
  issuedBefore: number
}

/** The times of `revokeIssuedBefore`: one for everybody, and one for each identity that was named. */
export class NotBeforeTable {
  readonly #byIdentity = new Map<string | undefined, NotBefore>()
  readonly #queue = new ExpiryQueue<NotBefore>()
  readonly #maximum: number
  #revision = 0

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  get size(): number {
    return this.#queue.size
  }

  /** Counts the changes of this table. */
  get revision(): number {
    return this.#revision
  }

  /** Moves the time of an identity forward. @throws Error when the table is full; nothing is evicted */
  raise({ identity, issuedBefore }: IssuedBefore, retainUntil: number): RevokeIssuedOutcome {
    const known = this.#byIdentity.get(identity)
    if (known === undefined) this.#add({ identity, issuedBefore, retainUntil, due: retainUntil })
    else known.retainUntil = Math.max(known.retainUntil, retainUntil)
    if (known !== undefined && known.issuedBefore >= issuedBefore) return 'unchanged'
    if (known !== undefined) known.issuedBefore = issuedBefore
    this.#revision += 1
    return 'revoked'
  }

  covers({ clientId, subject, issuedAt }: KeyRecord): boolean {
    if (this.#byIdentity.size === 0) return false
    return [undefined, clientId, subject].some((identity) => {
      const bound = this.#byIdentity.get(identity)
      return bound !== undefined && issuedAt <= bound.issuedBefore
    })
  }

  sweep(seconds: number): void {
    this.#queue.sweep(seconds, ({ identity }) => this.#byIdentity.delete(identity))
  }

  #add(bound: NotBefore): void {
    // The time for everybody does not count: there is always room for an emergency.
    const identities = this.#byIdentity.size - Number(this.#byIdentity.has(undefined))
    if (identities >= this.#maximum && bound.identity !== undefined)
      throw new Error('The store cannot remember any more revoked identities.')
    this.#byIdentity.set(bound.identity, bound)
    this.#queue.add(bound)
  }
}
