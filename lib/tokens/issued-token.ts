import { ProvisioningError, type Reason, type RefusalFacts } from '../base/errors.js'
import { deeplyFrozen } from '../base/object.js'
import { type Claims, MAXIMUM_LENGTH } from '../jose/jws.js'
import { retirementFailure, signatureFailure } from '../jose/jwt.js'
import type { SigningKey, VerificationKeys } from '../jose/key-ring.js'
import {
  anything,
  type ClaimTypes,
  refusal,
  type SignedKind,
  type TokenFault,
  text,
  timesFailure,
  verifySignedToken,
  wholeSeconds,
} from '../jose/signed-token.js'
import { tokenDigest } from '../jose/verified-tokens.js'
import { clockOf, type VerificationRules } from '../ports/deployment.js'
import type { Confirmation } from '../ports/store.js'

/** The claims of every token that a deployment issues. */
export interface IssuedClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly client_id: string
  /** Space-delimited (RFC 6749 3.3). */
  readonly scope: string
  readonly iat: number
  readonly nbf?: number
  readonly exp: number
  readonly jti: string
  /** The key or certificate that the token is bound to (RFC 7800 3.1). `confirm()` in possession.ts checks it. */
  readonly cnf?: unknown
  readonly env?: string
}

export const ISSUED_CLAIMS: ClaimTypes<IssuedClaims> = Object.freeze({
  iss: text,
  aud: text,
  sub: text,
  client_id: text,
  scope: text,
  iat: wholeSeconds,
  nbf: { optional: wholeSeconds },
  exp: wholeSeconds,
  jti: text,
  cnf: { optional: anything },
  env: { optional: text },
})

/** A kind of token that the deployment signs itself. */
export interface IssuedKind<C extends IssuedClaims> extends SignedKind<C> {
  /** RFC 8725 3.11: an explicit type, so that no other JWT of the issuer passes for this kind. */
  readonly typ: string
  /** The longest accepted lifetime. It limits what a thief of a signing key can make, whom no policy limits. */
  readonly maxLifetimeSeconds: (deployment: VerificationRules) => number
  /** Names the token in a refusal. */
  readonly factsOf: (claims: C) => RefusalFacts
}

/** Completes a kind. Its refusals name no client and no token, because nothing is verified yet. */
export function issuedKind<C extends IssuedClaims>(
  kind: Omit<IssuedKind<C>, 'types' | 'refuse'>,
): IssuedKind<C> {
  return { ...kind, types: [kind.typ], refuse: (fault, message) => refusalOf(fault, message, {}) }
}

export const ISSUED_TOKEN_REASONS: Record<TokenFault, Reason> = {
  form: 'key_malformed',
  type: 'key_type_wrong',
  extension: 'key_header_refused',
  algorithm: 'key_algorithm_refused',
  signer: 'signing_key_unknown',
  signature: 'signature_wrong',
  retired: 'signing_key_retired',
  payload: 'claims_malformed',
  claims: 'claims_malformed',
  expired: 'key_expired',
  early: 'key_not_yet_valid',
  lifetime: 'lifetime_excessive',
}

/**
 * Verifies that a token is genuine: form, header, signature, claim types and issuer (RFC 9068 4). `verifyTerms` checks its
 * terms, and its state is checked after that.
 *
 * @throws ProvisioningError one of `ISSUED_TOKEN_REASONS`, or `issuer_wrong`
 */
export function verifyGenuine<C extends IssuedClaims>(
  deployment: VerificationRules,
  kind: IssuedKind<C>,
  token: string,
): C {
  const claims = verifySignedByUs(deployment.keyRing, kind, token)
  const refusal = issuerRefusal(deployment, kind, claims)
  if (refusal !== undefined) throw refusal
  return claims
}

/** The refusal of a genuine token that fails one check, if it does. */
type TermCheck<Rules> = <C extends IssuedClaims>(
  rules: Rules,
  kind: IssuedKind<C>,
  claims: C,
) => ProvisioningError | undefined

export const issuerRefusal: TermCheck<Pick<VerificationRules, 'issuer'>> = ({ issuer }, kind, claims) => {
  if (claims.iss === issuer) return undefined
  const message = `${kind.noun} is from another issuer than ${issuer}.`
  return new ProvisioningError('issuer_wrong', message, { facts: kind.factsOf(claims) })
}

/**
 * Verifies that one of our keys has signed a token of this kind. A token that was verified before is recognized.
 *
 * @throws ProvisioningError what `kind.refuse` makes
 */
export function verifySignedByUs<C extends object>(
  keys: VerificationKeys,
  kind: SignedKind<C>,
  token: string,
): C {
  const [typ] = kind.types
  let digest: string | undefined
  for (const key of keys.all()) {
    if (key.verifiedTokens === undefined || token.length > MAXIMUM_LENGTH) continue
    digest ??= tokenDigest(token)
    const known = key.verifiedTokens.get(digest)
    if (known === undefined || known.typ !== typ) continue
    const failure = retirementFailure(key, known.claims)
    if (failure !== undefined) throw refusal(kind, failure)
    return known.claims as C
  }
  let signer: SigningKey | undefined
  const claims = verifySignedToken(token, kind, (parsed) => {
    const { kid } = parsed.header
    signer = typeof kid === 'string' ? keys.find(kid) : undefined
    return signatureFailure(parsed, signer)
  })
  if (digest !== undefined)
    signer?.verifiedTokens?.add(digest, { typ, claims: deeplyFrozen<object>(claims) as Claims })
  return claims
}

/**
 * Verifies the terms of a genuine token: its audience, its environment and its times.
 *
 * @throws ProvisioningError `audience_wrong`, `environment_wrong`, `key_expired`, `key_not_yet_valid`,
 *   `lifetime_excessive`
 */
export function verifyTerms<C extends IssuedClaims>(
  deployment: VerificationRules,
  kind: IssuedKind<C>,
  claims: C,
  audiences: readonly string[],
): void {
  const refusal =
    audienceRefusal(audiences, kind, claims) ??
    environmentRefusal(deployment, kind, claims) ??
    timesRefusal(deployment, kind, claims)
  if (refusal !== undefined) throw refusal
}

export const audienceRefusal: TermCheck<readonly string[]> = (audiences, kind, claims) => {
  if (audiences.includes(claims.aud)) return undefined
  const message = `${kind.noun} is for ${claims.aud}; expected ${audiences.join(' or ')}.`
  return new ProvisioningError('audience_wrong', message, { facts: kind.factsOf(claims) })
}

export const environmentRefusal: TermCheck<VerificationRules> = (deployment, kind, claims) => {
  if (claims.env === deployment.environment) return undefined
  const [other, own] = [claims.env, deployment.environment].map((name) => name ?? 'none')
  const message = `${kind.noun} is of environment ${other}; expected ${own}.`
  return new ProvisioningError('environment_wrong', message, { facts: kind.factsOf(claims) })
}

export const timesRefusal: TermCheck<VerificationRules> = (deployment, kind, claims) => {
  const times = { mustExpire: true, maxLifetimeSeconds: kind.maxLifetimeSeconds(deployment) }
  const failure = timesFailure(claims, times, clockOf(deployment))
  return failure && refusalOf(failure[0], `${kind.noun} ${failure[1]}.`, kind.factsOf(claims))
}

function refusalOf(fault: TokenFault, message: string, facts: RefusalFacts): ProvisioningError {
  return new ProvisioningError(ISSUED_TOKEN_REASONS[fault], message, { facts })
}

/** The identity and the terms in a verified token. */
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
  /** The key or certificate that the token is bound to. The request has proven possession of it. */
  readonly confirmation: Confirmation | undefined
}

/** The identity and the terms in claims. Call it only after `confirm` has checked the `cnf`. */
export function identityIn(claims: IssuedClaims): VerifiedIdentity {
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
