import type { ProvisioningError, Reason } from '../base/errors.js'
import { numericDate, type VerificationRules } from '../ports/deployment.js'
import type { Confirmation } from '../ports/store.js'

/** Whom a JWT of ours that has been verified is about, and on which terms: what keys and access tokens have in common. */
export interface VerifiedIdentity {
  readonly jti: string
  readonly clientId: string
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly issuer: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly environment: string | undefined
  /** What it is bound to; the presenter has proven to hold it. */
  readonly confirmation: Confirmation | undefined
}

/** The claims that say all that. */
export interface IdentityClaims extends ValidityClaims {
  readonly iss: string
  readonly sub: string
  readonly client_id: string
  readonly scope: string
  readonly jti: string
  readonly cnf?: unknown
}

/** The identity that claims describe, whose `cnf` was confirmed. */
export function identityIn(claims: IdentityClaims): VerifiedIdentity {
  return {
    jti: claims.jti,
    clientId: claims.client_id,
    subject: claims.sub,
    scope: Object.freeze(claims.scope.split(' ')),
    audience: claims.aud,
    issuer: claims.iss,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    environment: claims.env,
    confirmation: claims.cnf as Confirmation | undefined,
  }
}

/** The claims that say where and when a JWT of ours is good. */
export interface ValidityClaims {
  readonly aud: string
  readonly env?: string
  readonly iat: number
  readonly nbf?: number
  readonly exp: number
}

/** What a JWT of ours is judged as. */
export interface ValidityRules {
  /** What it is called in messages, with its article. */
  readonly noun: readonly ['a', 'key'] | readonly ['an', 'access token']
  readonly audiences: readonly string[]
  /** The second cap on `exp - iat`; the first was policy's, when it was minted. */
  readonly maxLifetimeSeconds: number
  /** Makes the refusal, so that it names what was presented. */
  readonly refusal: (reason: Reason, message: string) => ProvisioningError
}

/**
 * Verifies that a genuine JWT is for one of the audiences, of this environment, and in time.
 *
 * @throws ProvisioningError `audience_wrong`, `environment_wrong`, `key_expired`, `key_not_yet_valid`,
 *   `lifetime_excessive`
 */
export function verifyValidity(
  deployment: VerificationRules,
  claims: ValidityClaims,
  rules: ValidityRules,
): void {
  const { audiences, refusal } = rules
  const noun = rules.noun.join(' ')
  if (!audiences.includes(claims.aud)) {
    const message = `Expected ${noun} for ${audiences.join(' or ')}, got ${claims.aud}.`
    throw refusal('audience_wrong', message)
  }
  if (claims.env !== deployment.environment) {
    const [own, other] = [deployment.environment, claims.env].map((name) => name ?? 'none')
    const message = `Expected ${noun} of environment ${own}, got ${other}.`
    throw refusal('environment_wrong', message)
  }
  verifyTimes(deployment, claims, rules)
}

function verifyTimes(
  deployment: VerificationRules,
  { iat, nbf = iat, exp }: ValidityClaims,
  { noun: [, noun], maxLifetimeSeconds, refusal }: ValidityRules,
): void {
  const now = numericDate(deployment)
  const tolerance = deployment.clockToleranceSeconds
  // RFC 7519 4.1.4: on or after exp, not only after it.
  if (now >= exp + tolerance) throw refusal('key_expired', `The ${noun} expired ${now - exp} s ago.`)
  const begins = Math.max(nbf, iat)
  if (now < begins - tolerance) {
    throw refusal('key_not_yet_valid', `The ${noun} becomes valid in ${begins - now} s.`)
  }
  const lifetime = exp - iat
  if (lifetime > maxLifetimeSeconds || lifetime <= 0) {
    const made = `The ${noun} was made to live ${lifetime} s`
    throw refusal('lifetime_excessive', `${made}, at most ${maxLifetimeSeconds} s are accepted.`)
  }
}
