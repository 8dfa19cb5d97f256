import { isObject } from '../base/object.js'
import {
  importPublicJwk,
  isForVerification,
  isKindFor,
  PROOF_ALGORITHMS,
  type PublicJwk,
  publicJwk,
  publicJwkFault,
} from '../jose/jwk.js'
import type { Claims } from '../jose/jws.js'
import { MOST_KEYS } from '../ports/policy-options.js'
import { certificateLabels, jwkCertificateFault } from './registered-certificates.js'

/** Checks the JWK Set of a client. Returns the expected value in words, or `undefined` if the set is valid. */
export function keySetFault(value: unknown): string | undefined {
  return keySetFaultBy(value, keyFault)
}

/** Checks only the form of the keys. That is fast, because it imports none of them. */
export function keySetFormFault(value: unknown): string | undefined {
  return keySetFaultBy(value, publicJwkFault)
}

function keySetFaultBy(value: unknown, faultOf: (jwk: Claims) => string | undefined): string | undefined {
  const keys = isObject(value) ? value.keys : undefined
  const isList = Array.isArray(keys) && keys.length > 0 && keys.length <= MOST_KEYS
  if (!isList) return `a JWK Set of 1 to ${MOST_KEYS} keys`
  const fault = keys.map(faultOf).find((one) => one !== undefined)
  return fault === undefined ? undefined : `public keys only (one is refused: ${fault})`
}

function keyFault(jwk: Claims): string | undefined {
  const key = importPublicJwk(jwk)
  return typeof key === 'string' ? key : jwkCertificateFault(jwk, key)
}

/** Copies only the members that we know: the public key, its labels, and its certificate. Others could be anything. */
export function plainKeySet({ keys }: { readonly keys: readonly Claims[] }) {
  return { keys: keys.map((jwk) => ({ ...plainKey(jwk), ...labelsOf(jwk) })) }
}

function plainKey(jwk: Claims): PublicJwk {
  const key = importPublicJwk(jwk)
  return typeof key === 'string' ? {} : publicJwk(key)
}

function labelsOf(jwk: Claims): Claims {
  const labels = ['kid', 'use', 'alg'].filter((name) => typeof jwk[name] === 'string')
  const { key_ops: operations } = jwk
  return {
    ...Object.fromEntries(labels.map((name) => [name, jwk[name]])),
    // No other operation matters here (RFC 7517 4.3).
    ...(operations !== undefined && {
      key_ops: isForVerification({ key_ops: operations }) ? ['verify'] : [],
    }),
    ...certificateLabels(jwk),
  }
}

/** What `private_key_jwt` needs, in words. */
export const SIGNING_KEY =
  'a public key for signatures, with a use, key_ops and alg that allow private_key_jwt'

/** Whether one of the keys can verify an assertion, as far as its labels say (RFC 7517 4.2 to 4.4). */
export function hasSigningKey({ keys }: { readonly keys: readonly PublicJwk[] }): boolean {
  return keys.some(
    (jwk) =>
      isForVerification(jwk) &&
      PROOF_ALGORITHMS.some((alg) => (jwk.alg ?? alg) === alg && isKindFor(jwk, alg)),
  )
}
