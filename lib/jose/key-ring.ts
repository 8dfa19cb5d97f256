import type { KeyObject } from 'node:crypto'
import type { KeyAlgorithm, PublicJwk } from './jwk.js'
import { publicJwk } from './jwk.js'

/** A key that verifies, and signs when it is the active one. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: KeyAlgorithm
  /** For HS256 the same secret as `publicKey`. Absent when the key only verifies. */
  readonly privateKey?: KeyObject
  readonly publicKey: KeyObject
  /** For a key that was retired: the latest `iat` of what it can have signed. */
  readonly lastIssuedAt?: number
}

/** A key the ring may sign with. */
export type ActiveKey = SigningKey & { readonly privateKey: KeyObject }

/** A JWK Set as published (RFC 7517 5). */
export interface JwkSet {
  readonly keys: readonly PublicJwk[]
}

/** Keys that verify, wherever they come from. */
export interface VerificationKeys {
  find(kid: string | undefined): SigningKey | undefined
  /**
   * Has the keys at hand among which a `kid` is to be found. Absent where they always are.
   *
   * @throws ProvisioningError `signing_keys_unavailable` when it cannot be known whether there is such a key
   */
  load?(kid: string | undefined): Promise<void>
}

/** The signing keys of a deployment: the active one signs, all of them verify. */
export interface KeyRing extends VerificationKeys {
  active(): ActiveKey
  /** Public keys only; a symmetric key is never among them. */
  jwks(): JwkSet
}

/** How a key stands in a ring: `waiting` is one that verifies, and may become the active one. */
export type SigningKeyStatus = 'active' | 'waiting' | 'retired'

/** A key that signs no more, and verifies until a NumericDate. */
export interface RetiredKey {
  readonly kid: string
  readonly until: number
}

/** A ring whose keys can be changed while it is in use. */
export interface RotatingKeyRing extends KeyRing {
  statusOf(kid: string): SigningKeyStatus | undefined
  /** Verifies and publishes with one more key. */
  add(key: SigningKey): void
  /**
   * Signs with another key from now on. The one before verifies until the last of what it signed has expired.
   *
   * @param overlapSeconds for how long other processes may go on signing with the one before
   */
  rotate(next: ActiveKey, overlapSeconds: number): RetiredKey
  /** Forgets a key that is not the active one: what it signed is refused at once. */
  remove(kid: string): void
}

/** What a ring has to know to let a retired key go in time. */
export interface RetirementRules {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly toleranceSeconds: number
  /** The longest lifetime of anything that is signed with a key of the ring. */
  readonly longestLifetimeSeconds: number
}

interface Held {
  readonly key: SigningKey
  /** For a retired key: from then on nothing of what it signed can be in time. */
  readonly until?: number
}

/** Makes a ring; keys that do not sign at first verify for as long as they are not retired or removed. */
export function keyRing(
  first: ActiveKey,
  others: readonly SigningKey[],
  rules: RetirementRules,
): RotatingKeyRing {
  let active = first
  // Looked up by name and never searched: a kid that is nobody's costs one look and leaves nothing behind.
  let held = new Map<string, Held>([first, ...others].map((key) => [key.kid, { key }]))
  let published: JwkSet | undefined
  const seconds = () => Math.floor(rules.now() / 1000)

  function put(changed: Iterable<readonly [string, Held]>): void {
    held = new Map(changed)
    published = undefined
  }

  function forgetExpired(): void {
    const now = seconds()
    const left = [...held].filter(([, { until }]) => until === undefined || now < until)
    if (left.length < held.size) put(left)
  }

  function retire({ privateKey: _, ...former }: ActiveKey, overlapSeconds: number): Held & RetiredKey {
    const lastIssuedAt = seconds() + overlapSeconds + rules.toleranceSeconds
    const until = lastIssuedAt + rules.longestLifetimeSeconds + rules.toleranceSeconds
    return { key: Object.freeze({ ...former, lastIssuedAt }), kid: former.kid, until }
  }

  return {
    active: () => active,
    find(kid) {
      const found = kid === undefined ? undefined : held.get(kid)
      return found?.until === undefined || seconds() < found.until ? found?.key : undefined
    },
    jwks() {
      forgetExpired()
      published ??= publish([...held.values()].map(({ key }) => key))
      return published
    },
    statusOf(kid) {
      forgetExpired()
      if (kid === active.kid) return 'active'
      const found = held.get(kid)
      return found && (found.until === undefined ? 'waiting' : 'retired')
    },
    add: (key) => put([...held, [key.kid, { key }]]),
    rotate(next, overlapSeconds) {
      forgetExpired()
      const retired = retire(active, overlapSeconds)
      const others = [...held].filter(([kid]) => kid !== next.kid && kid !== retired.kid)
      put([[next.kid, { key: next }], [retired.kid, retired], ...others])
      active = next
      return { kid: retired.kid, until: retired.until }
    },
    remove: (kid) => put([...held].filter(([other]) => other !== kid || other === active.kid)),
  }
}

function publish(keys: readonly SigningKey[]): JwkSet {
  const published = keys
    .filter(({ alg }) => alg !== 'HS256')
    .map(({ kid, alg, publicKey }) => Object.freeze({ ...publicJwk(publicKey), kid, alg, use: 'sig' }))
  return Object.freeze({ keys: Object.freeze(published) })
}
