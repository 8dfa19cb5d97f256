import type { KeyRecord } from '../../ports/store.js'
import { SplitMap } from './split-map.js'

/** Terms that many keys have in common. */
export class SharedTerms {
  /** All of them as one text. */
  readonly text: string
  readonly scope: readonly string[]
  readonly audience: string
  /** Many keys of one policy have the same networks, and most keys have neither networks nor ancestors. */
  readonly claimsDigest: string | undefined
  /** The client that registered the client of the keys. */
  readonly registeredBy: string | undefined
  /** A digest of the user agent that the keys were issued to. Many clients run the same few programs. */
  readonly issuedToAgent: string | undefined
  /** How many keys have them. */
  keys = 0

  constructor(text: string, record: KeyRecord, registeredBy: string | undefined) {
    this.text = text
    this.scope = Object.freeze([...record.scope])
    this.audience = record.audience
    this.claimsDigest = record.claimsDigest
    this.registeredBy = registeredBy
    this.issuedToAgent = record.issuedToAgent
  }
}

/**
 * Keeps equal terms once, as long as a key has them. Each request brings texts of its own: two scopes and an audience
 * would take 230 bytes of each key.
 */
export class TermsPool {
  readonly #shared = new SplitMap<SharedTerms>()

  take(record: KeyRecord, registeredBy: string | undefined): SharedTerms {
    const { audience, scope, claimsDigest, issuedToAgent } = record
    const text = JSON.stringify([audience, registeredBy, scope, claimsDigest, issuedToAgent])
    const shared = this.#shared.get(text) ?? new SharedTerms(text, record, registeredBy)
    if (shared.keys === 0) this.#shared.set(text, shared)
    shared.keys += 1
    return shared
  }

  giveBack(shared: SharedTerms): void {
    shared.keys -= 1
    if (shared.keys === 0) this.#shared.delete(shared.text)
  }
}
