import type { IssuedBefore, KeyRecord, RevokeIssuedOutcome } from '../../ports/store.js'
import type { Expiring, ExpiryQueue } from './expiry.js'

/** Revokes the keys of an identity that were issued at or before a time. */
interface NotBefore extends Expiring {
  issuedBefore: number
}

/** The times of `revokeIssuedBefore`: one for everybody, and one for each identity that was named. */
export class NotBeforeTable {
  /** `undefined` stands for all identities. */
  readonly #byIdentity = new Map<string | undefined, NotBefore>()
  readonly #expiry: ExpiryQueue
  readonly #maximum: number
  #revision = 0

  constructor(expiry: ExpiryQueue, maximum: number) {
    this.#expiry = expiry
    this.#maximum = maximum
  }

  /** Counts the changes of this table. */
  get revision(): number {
    return this.#revision
  }

  /** Moves the time of an identity forward. @throws Error when the table is full; nothing is evicted */
  raise({ identity, issuedBefore }: IssuedBefore, retainUntil: number): RevokeIssuedOutcome {
    const known = this.#byIdentity.get(identity)
    if (known === undefined) this.#add(identity, issuedBefore, retainUntil)
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

  #add(identity: string | undefined, issuedBefore: number, retainUntil: number): void {
    // The time for everybody does not count: there is always room for an emergency.
    const identities = this.#byIdentity.size - Number(this.#byIdentity.has(undefined))
    if (identities >= this.#maximum && identity !== undefined)
      throw new Error('The store cannot remember any more revoked identities.')
    const forget = () => void this.#byIdentity.delete(identity)
    const bound = { issuedBefore, retainUntil, due: retainUntil, forget }
    this.#byIdentity.set(identity, bound)
    this.#expiry.add(bound)
  }
}
