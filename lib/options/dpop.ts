import { describeSecret } from '../base/faults.js'
import { object, rule, whole } from '../base/schema.js'
import type { DpopRules } from '../ports/deployment.js'
import { nonces } from '../possession/nonces.js'

/** How DPoP proofs are validated (RFC 9449). Proofs are accepted without these options too. */
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

export const readDpop = object<DpopOptions>({
  proofAgeSeconds: whole(1, 300, ' seconds'),
  nonceSecret: rule(
    `at least ${SHORTEST_NONCE_SECRET} characters`,
    (secret) => typeof secret === 'string' && secret.length >= SHORTEST_NONCE_SECRET,
    describeSecret,
  ),
  nonceLifetimeSeconds: whole(1, 3600, ' seconds'),
})

/** The rules that the options make, with their defaults. */
export function dpopRules(options: DpopOptions | undefined, now: () => number): DpopRules {
  const { proofAgeSeconds = 60, nonceSecret: secret, nonceLifetimeSeconds = 60 } = options ?? {}
  return Object.freeze({
    proofAgeSeconds,
    nonces: secret === undefined ? undefined : nonces(Buffer.from(secret), nonceLifetimeSeconds, now),
  })
}
