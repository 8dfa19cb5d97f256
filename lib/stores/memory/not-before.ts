import type { IssuedBefore, KeyRecord, RevokeIssuedOutcome } from '../../ports/store.js'
import type { Expiring, ExpiryQueue } from './expiry.js'
import type { Sweep } from './sweep.js'

/** Revokes the keys of an identity that were issued at or before a time. */
interface NotBefore extends Expiring<NotBefore> {
  readonly identity: string | undefined
  issuedBefore: number
}

/** The times of `revokeIssuedBefore`: one for everybody, and one for each identity that was named. */
export class NotBeforeTable {
  /** `undefined` stands for all identities. */
  readonly #byIdentity = new Map<string | undefined, NotBefore>()
  readonly #sweep: Sweep
  readonly #expiry: ExpiryQueue<NotBefore>
  readonly #maximum: number
  #revision = 0

  constructor(sweep: Sweep, maximum: number) {
    this.#sweep = sweep
    this.#expiry = sweep.queue<NotBefore>({ forget: (bound) => this.#forget(bound) })
    this.#maximum = maximum
  }

  /** Counts the changes of this table. */
  get revision(): number {
    return this.#revision
  }

  /** Moves the time of an identity forward. `full`: nothing is changed, and nothing is evicted. */
  raise({ identity, issuedBefore }: IssuedBefore, retainUntil: number): RevokeIssuedOutcome {
    const known = this.#get(identity)
    if (known === undefined) {
      if (!this.#hasPlace(identity)) return 'full'
      this.#add(identity, issuedBefore, retainUntil)
    } else {
      if (retainUntil > known.end.time) known.end = this.#expiry.momentAt(retainUntil)
      if (known.issuedBefore >= issuedBefore) return 'unchanged'
      known.issuedBefore = issuedBefore
    }
    this.#revision += 1
    return 'revoked'
  }

  covers({ clientId, subject, issuedAt }: Pick<KeyRecord, 'clientId' | 'subject' | 'issuedAt'>): boolean {
    if (this.#byIdentity.size === 0) return false
    return [undefined, clientId, subject].some((identity) => {
      const bound = this.#get(identity)
      return bound !== undefined && issuedAt <= bound.issuedBefore
    })
  }

  #get(identity: string | undefined): NotBefore | undefined {
    const bound = this.#byIdentity.get(identity)
    return bound?.end.isOver ? undefined : bound
  }

  #hasPlace(identity: string | undefined): boolean {
    // The time for everybody does not count: there is always room for an emergency.
    const identities = this.#byIdentity.size - Number(this.#byIdentity.has(undefined))
    return identities < this.#maximum || identity === undefined
  }

  #add(identity: string | undefined, issuedBefore: number, retainUntil: number): void {
    const bound = { identity, issuedBefore, end: this.#expiry.momentAt(retainUntil), next: undefined }
    this.#byIdentity.set(identity, bound)
    this.#expiry.add(bound)
    this.#sweep.start()
  }

  #forget(bound: NotBefore): void {
    // Another bound may have taken the place of one that had expired.
    if (this.#byIdentity.get(bound.identity) === bound) this.#byIdentity.delete(bound.identity)
  }
}
