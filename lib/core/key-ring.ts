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
}

/** A key the ring may sign with. */
export type ActiveKey = SigningKey & { readonly privateKey: KeyObject }

/** A JWK Set as published (RFC 7517 5). */
export interface JwkSet {
  readonly keys: readonly PublicJwk[]
}

/** The signing keys of a deployment: the active one signs, all of them verify. */
export interface KeyRing {
  active(): ActiveKey
  find(kid: string | undefined): SigningKey | undefined
  /** Public keys only; a symmetric key is never among them. */
  jwks(): JwkSet
}

export function keyRing(active: ActiveKey, retired: readonly SigningKey[]): KeyRing {
  const byKid = new Map([active, ...retired].map((key) => [key.kid, key]))
  const published = [...byKid.values()].filter((key) => key.alg !== 'HS256')
  const jwks = Object.freeze({
    keys: Object.freeze(
      published.map(({ kid, alg, publicKey }) =>
        Object.freeze({ ...publicJwk(publicKey), kid, alg, use: 'sig' }),
      ),
    ),
  })
  return {
    active: () => active,
    find: (kid) => (kid === undefined ? undefined : byKid.get(kid)),
    jwks: () => jwks,
  }
}
