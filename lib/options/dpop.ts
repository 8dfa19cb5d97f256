import { describe, describeSecret, type Faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { DpopRules } from '../ports/deployment.js'
import { nonces } from '../possession/nonces.js'
import { readCount } from './policy.js'

/** How DPoP proofs are judged (RFC 9449). They are accepted without any of this. */
export interface DpopOptions {
  /** How old a proof may be, in seconds. Default 60, at most 300. */
  readonly proofAgeSeconds?: number
  /**
   * Makes proofs carry a nonce of the server's (RFC 9449 8). At least 32 characters, the same for all instances, so
   * that each honours another's. Default: no nonces.
   */
  readonly nonceSecret?: string
  /** How long a nonce is handed out, in seconds; it is accepted for as long again. Default 60, at most 3600. */
  readonly nonceLifetimeSeconds?: number
}

const SHORTEST_NONCE_SECRET = 32

/** Reads `dpop`. */
export function readDpop(value: unknown, now: () => number, faults: Faults): DpopRules {
  if (value !== undefined && !isObject(value)) faults.add('dpop', 'an object', describe(value))
  const given: Record<string, unknown> = isObject(value) ? value : {}
  faults.addUnknownNames('dpop', given, ['proofAgeSeconds', 'nonceSecret', 'nonceLifetimeSeconds'])
  const seconds = (name: string, most: number) =>
    readCount(`dpop.${name}`, given[name], { most, unit: ' seconds' }, faults)
  const proofAgeSeconds = seconds('proofAgeSeconds', 300) ?? 60
  const step = seconds('nonceLifetimeSeconds', 3600) ?? 60
  const { nonceSecret: secret } = given
  if (secret === undefined) return Object.freeze({ proofAgeSeconds, nonces: undefined })
  if (typeof secret !== 'string' || secret.length < SHORTEST_NONCE_SECRET) {
    faults.add('dpop.nonceSecret', `at least ${SHORTEST_NONCE_SECRET} characters`, describeSecret(secret))
  }
  return Object.freeze({ proofAgeSeconds, nonces: nonces(Buffer.from(String(secret)), step, now) })
}
