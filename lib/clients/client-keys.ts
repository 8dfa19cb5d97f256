import { importPublicJwk, type PublicJwk, publicJwk, publicJwkFault } from '../jose/jwk.js'
import type { Claims } from '../jose/jws.js'
import { MOST_KEYS } from '../ports/policy-options.js'
import { certificateLabels, jwkCertificateFault } from './registered-certificates.js'

/** What is expected of a JWK Set that a client registers or is configured with, when it is not that. */
export function keySetFault(value: unknown): string | undefined {
  return keySetFaultBy(value, keyFault)
}

/** The same by the form of the keys alone. Nothing is imported, so that it takes next to no time. */
export function keySetFormFault(value: unknown): string | undefined {
  return keySetFaultBy(value, publicJwkFault)
}

function keySetFaultBy(value: unknown, faultOf: (jwk: Claims) => string | undefined): string | undefined {
  const keys = (value as { keys?: unknown } | null)?.keys
  const isList = Array.isArray(keys) && keys.length > 0 && keys.length <= MOST_KEYS
  if (!isList) return `a JWK Set of 1 to ${MOST_KEYS} keys`
  const fault = keys.map(faultOf).find((one) => one !== undefined)
  return fault === undefined ? undefined : `public keys only (one is refused: ${fault})`
}

function keyFault(jwk: Claims): string | undefined {
  const key = importPublicJwk(jwk)
  return typeof key === 'string' ? key : jwkCertificateFault(jwk, key)
}

/** The keys rebuilt from what makes them keys and says what for: whatever else came with them is not kept. */
export function plainKeySet({ keys }: { readonly keys: readonly Claims[] }) {
  return { keys: keys.map((jwk) => ({ ...plainKey(jwk), ...labelsOf(jwk) })) }
}

function plainKey(jwk: Claims): PublicJwk {
  const key = importPublicJwk(jwk)
  return typeof key === 'string' ? {} : publicJwk(key)
}

function labelsOf(jwk: Claims): Claims {
  const labels = ['kid', 'use', 'alg'].filter((name) => typeof jwk[name] === 'string')
  return { ...Object.fromEntries(labels.map((name) => [name, jwk[name]])), ...certificateLabels(jwk) }
}
