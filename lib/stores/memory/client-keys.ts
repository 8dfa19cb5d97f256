import { SplitMap } from './split-map.js'
import { isOutstanding, type StoredKey } from './stored-key.js'

/** The keys of a client that has several. */
export class ClientKeys {
  readonly clientId: string
  /** The client that registered this one. */
  readonly registeredBy: string | undefined
  /** An upper bound: keys count that have expired, and those revoked by `revokeIssuedBefore` since `#revision`. */
  outstanding = 0
  readonly #keys = new SplitMap<StoredKey>()
  /** The revision of `NotBeforeTable` when the keys were last counted exactly. */
  #revision: number

  constructor(first: StoredKey, revision: number) {
    this.clientId = first.clientId
    this.registeredBy = first.registeredBy
    this.#revision = revision
    this.add(first)
  }

  get(jti: string): StoredKey | undefined {
    return this.#keys.get(jti)
  }

  all(): Iterable<StoredKey> {
    return this.#keys.values()
  }

  add(stored: StoredKey): this {
    this.#keys.set(stored.jti, stored)
    if (isOutstanding(stored.state)) this.outstanding += 1
    return this
  }

  /** Removes a key. If one is left, returns that one in place of itself. */
  without(stored: StoredKey): ClientKeys | StoredKey | undefined {
    this.#keys.delete(stored.jti)
    if (isOutstanding(stored.state)) this.outstanding -= 1
    return this.#keys.size > 1 ? this : this.#keys.values().next().value
  }

  /** All keys if a revocation may have changed the count since this was last called, else none. */
  keysToCount(revision: number): Iterable<StoredKey> {
    if (this.#revision === revision) return []
    this.#revision = revision
    return this.#keys.values()
  }
}
