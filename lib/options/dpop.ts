import type { KeyObject } from 'node:crypto'
import { describeSecret } from '../base/faults.js'
import { RecentMap } from '../base/recent-map.js'
import { object, rule, whole } from '../base/schema.js'
import type { DpopRules } from '../ports/deployment.js'
import { nonces } from '../possession/dpop.js'

/**
 * How DPoP proofs are validated (RFC 9449). Proofs are also accepted without these options.
 *
 * @example
 * const { NONCE_SECRET = '' } = process.env
 * const dpop: DpopOptions = { proofAgeSeconds: 30, nonceSecret: NONCE_SECRET }
 */
export interface DpopOptions {
  /**
   * The greatest age of a proof, in seconds. Default 60, at most 300.
   * @example 30
   */
  readonly proofAgeSeconds?: number
  /**
   * Requires proofs with a nonce from the server (RFC 9449 8). The nonces are derived from this secret, so use the same
   * secret in all processes. At least 32 characters. Default: proofs need no nonce.
   * @example process.env.NONCE_SECRET ?? ''
   */
  readonly nonceSecret?: string
  /**
   * How long clients get the same nonce, in seconds. After that it is accepted for the same time once more. Default 60, at
   * most 3600.
   * @example 120
   */
  readonly nonceLifetimeSeconds?: number
}

const SHORTEST_NONCE_SECRET = 32

/** The most remembered public keys of one generation. A key takes about 2 KB outside of the JavaScript heap. */
const MOST_PROOF_KEYS = 1024

export const readDpop = object<DpopOptions>({
  proofAgeSeconds: whole(1, 300, ' seconds'),
  nonceSecret: rule(
    `at least ${SHORTEST_NONCE_SECRET} characters`,
    (secret) => typeof secret === 'string' && secret.length >= SHORTEST_NONCE_SECRET,
    describeSecret,
  ),
  nonceLifetimeSeconds: whole(1, 3600, ' seconds'),
})

/** Completes the options with their defaults. */
export function dpopRules(options: DpopOptions | undefined, now: () => number): DpopRules {
  const { proofAgeSeconds = 60, nonceSecret: secret, nonceLifetimeSeconds = 60 } = options ?? {}
  return Object.freeze({
    proofAgeSeconds,
    nonces: secret === undefined ? undefined : nonces(Buffer.from(secret), nonceLifetimeSeconds, now),
    uses: new WeakMap(),
    proofKeys: new RecentMap<KeyObject>(MOST_PROOF_KEYS),
  })
}
