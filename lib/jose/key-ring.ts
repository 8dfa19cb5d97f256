import type { KeyObject } from 'node:crypto'
import type { JwkSet, KeyAlgorithm } from './jwk.js'
import { publicJwk } from './jwk.js'
import type { VerifiedTokens } from './verified-tokens.js'

/** A key that verifies. It can also sign if it has its private part. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: KeyAlgorithm
  /** Absent if the key only verifies. For HS256 it is the same secret as `publicKey`. */
  readonly privateKey?: KeyObject
  readonly publicKey: KeyObject
  /** For a retired key: the latest `iat` of a token that it can have signed. */
  readonly lastIssuedAt?: number
  /** The tokens that this key has verified. They are forgotten with the key. Absent if nothing is remembered. */
  readonly verifiedTokens?: VerifiedTokens
}

export type ActiveKey = SigningKey & { readonly privateKey: KeyObject }

/** Keys that verify: those of this process, or those of an issuer in another process. */
export interface VerificationKeys {
  /** The keys that verify at this moment. */
  all(): readonly SigningKey[]
  find(kid: string | undefined): SigningKey | undefined
  /**
   * Fetches keys if `find` may need them for this `kid`. Absent if all keys are always available.
   *
   * @throws ProvisioningError `signing_keys_unavailable` when nobody can say whether there is such a key
   */
  load?(kid: string | undefined): Promise<void>
}

/** `waiting` is a key that verifies and can become the active one. */
export type SigningKeyStatus = 'active' | 'waiting' | 'retired'

/** A key that no longer signs, and verifies until a NumericDate. */
export interface RetiredKey {
  readonly kid: string
  readonly until: number
}

/** These decide how long a retired key verifies. */
export interface RetirementRules {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly toleranceSeconds: number
  /** The longest lifetime of a token that a key of the ring signs. */
  readonly longestLifetimeSeconds: number
}

interface Entry {
  readonly key: SigningKey
  /** For a retired key: the NumericDate from which all tokens that it signed have expired. */
  readonly until?: number
}

/** The signing keys of an issuer. The active key signs, and all keys verify. They can change while requests are served. */
export class KeyRing implements VerificationKeys {
  #active: ActiveKey
  /** By `kid`: an unknown `kid` costs one look-up and leaves nothing behind. */
  #entries: ReadonlyMap<string, Entry>
  #published: JwkSet | undefined
  readonly #rules: RetirementRules

  /** @param others verify too, until they are rotated out or removed */
  constructor(active: ActiveKey, others: readonly SigningKey[], rules: RetirementRules) {
    this.#active = active
    this.#entries = new Map([active, ...others].map((key) => [key.kid, { key }]))
    this.#rules = rules
  }

  active(): ActiveKey {
    return this.#active
  }

  find(kid: string | undefined): SigningKey | undefined {
    const entry = kid === undefined ? undefined : this.#entries.get(kid)
    return entry !== undefined && this.#isInUse(entry) ? entry.key : undefined
  }

  all(): readonly SigningKey[] {
    const keys: SigningKey[] = []
    for (const entry of this.#entries.values()) if (this.#isInUse(entry)) keys.push(entry.key)
    return keys
  }

  /** The public keys. A symmetric key is never published. */
  jwks(): JwkSet {
    this.#forgetExpired()
    this.#published ??= publish([...this.#entries.values()].map(({ key }) => key))
    return this.#published
  }

  statusOf(kid: string): SigningKeyStatus | undefined {
    this.#forgetExpired()
    if (kid === this.#active.kid) return 'active'
    const entry = this.#entries.get(kid)
    return entry && (entry.until === undefined ? 'waiting' : 'retired')
  }

  add(key: SigningKey): void {
    this.#replace([...this.#entries, [key.kid, { key }]])
  }

  /**
   * Signs with another key from now on. The previous key verifies until the last token that it signed has expired.
   *
   * @param overlapSeconds how long other processes may continue to sign with the previous key
   */
  rotate(next: ActiveKey, overlapSeconds: number): RetiredKey {
    this.#forgetExpired()
    const { privateKey: _, ...previous } = this.#active
    const { toleranceSeconds, longestLifetimeSeconds } = this.#rules
    const lastIssuedAt = this.#seconds() + overlapSeconds + toleranceSeconds
    const until = lastIssuedAt + longestLifetimeSeconds + toleranceSeconds
    const retired = { key: Object.freeze({ ...previous, lastIssuedAt }), until }
    const others = [...this.#entries].filter(([kid]) => kid !== next.kid && kid !== previous.kid)
    this.#replace([[next.kid, { key: next }], [previous.kid, retired], ...others])
    this.#active = next
    return { kid: previous.kid, until }
  }

  /** Removes a key, unless it is the active one. All tokens that it signed are refused from now on. */
  remove(kid: string): void {
    this.#replace([...this.#entries].filter(([other]) => other !== kid || other === this.#active.kid))
  }

  #seconds(): number {
    return Math.floor(this.#rules.now() / 1000)
  }

  #isInUse({ until }: Entry): boolean {
    return until === undefined || this.#seconds() < until
  }

  #forgetExpired(): void {
    const left = [...this.#entries].filter(([, entry]) => this.#isInUse(entry))
    if (left.length < this.#entries.size) this.#replace(left)
  }

  #replace(entries: Iterable<readonly [string, Entry]>): void {
    this.#entries = new Map(entries)
    this.#published = undefined
  }
}

/** The public keys as a JWK Set (RFC 7517 5). A symmetric key is never published. */
export function publish(keys: readonly SigningKey[]): JwkSet {
  const published = keys
    .filter(({ alg }) => alg !== 'HS256')
    .map(({ kid, alg, publicKey }) => Object.freeze({ ...publicJwk(publicKey), kid, alg, use: 'sig' }))
  return Object.freeze({ keys: Object.freeze(published) })
}
