import { randomBytes } from 'node:crypto'
import { ProvisioningError, type Reason } from '../base/errors.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import type { Terms } from '../clients/policy.js'
import type { Claims } from '../jose/jws.js'
import { signJwt, verifyJwt } from '../jose/jwt.js'
import { type Deployment, numericDate, type VerificationRules } from '../ports/deployment.js'
import type { Confirmation, KeyRecord, KeyRef } from '../ports/store.js'
import { identityIn, type VerifiedIdentity, verifyValidity } from './validity.js'

/** RFC 8725 3.11: an explicit type, so that no other JWT of the issuer can be taken for a key. */
const KEY_TYPE = 'provisioning-key+jwt'

/** A key as issued: what is recorded of it, and the claims it is minted from. */
export interface MintableKey {
  readonly record: KeyRecord
  readonly claims: Claims
}

declare const verified: unique symbol

/** A key whose form, signature, claims and state have held. Only verification makes one. */
export interface VerifiedKey extends VerifiedIdentity {
  readonly [verified]: true
  /** The keys to which its client owed its bindings when it asked for this one. */
  readonly ancestors: readonly KeyRef[]
}

/** The scope that lets a key register a client. */
export const REGISTER_SCOPE = 'provision:register'
/** The scope that lets a key bind a public key or a certificate. */
export const BIND_SCOPE = 'provision:bind'

/** The most bindings in the lifetime of one key, each asked for by means of the one before. */
const MOST_ANCESTORS = 16

/**
 * What a key can leave to a client that outlives it: what it carries itself, but not the right to register others.
 */
export function lastingScopes(key: VerifiedKey): readonly string[] {
  return key.scope.filter((scope) => scope !== REGISTER_SCOPE)
}

/** A new `jti`: 160 random bits. */
export function randomId(): string {
  return randomBytes(20).toString('base64url')
}

/** Whether a text has the form of a `jti`. */
export function isRandomId(text: string): boolean {
  return /^[\w-]{27}$/.test(text)
}

/**
 * Draws up a key for a client on the terms that policy allowed. Nothing is signed yet.
 *
 * @throws ProvisioningError `client_contended` when the client has bound too many keys shortly before
 */
export function newKey(
  deployment: Deployment,
  { clientId, ancestors }: Pick<AuthenticatedClient, 'clientId' | 'ancestors'>,
  terms: Terms,
  confirmation: Confirmation | undefined,
): MintableKey {
  const issuedAt = numericDate(deployment)
  const expiresAt = issuedAt + Math.min(terms.lifetimeSeconds, deployment.maxLifetimeSeconds)
  const { subject, scope, audience, networks } = terms
  const retainUntil = expiresAt + deployment.clockToleranceSeconds
  const identity = { jti: randomId(), clientId, subject, scope, audience }
  return {
    record: { ...identity, issuedAt, expiresAt, retainUntil, ...(confirmation && { confirmation }) },
    claims: {
      iss: deployment.issuer,
      aud: audience,
      sub: subject,
      client_id: clientId,
      scope: scope.join(' '),
      iat: issuedAt,
      nbf: issuedAt,
      exp: expiresAt,
      jti: identity.jti,
      ...(confirmation && { cnf: confirmation }),
      ...(networks !== undefined && { cidr: networks }),
      ...ancestorsClaim(scope, ancestors),
      ...(deployment.environment !== undefined && { env: deployment.environment }),
    },
  }
}

/** Names the ancestors in a key that can bind. A replay of an ancestor then ends the new binding too. */
function ancestorsClaim(scope: readonly string[], ancestors: readonly KeyRef[]): Claims {
  if (ancestors.length === 0 || !scope.includes(BIND_SCOPE)) return {}
  if (ancestors.length > MOST_ANCESTORS)
    throw new ProvisioningError('client_contended', 'The client has bound too many keys in a short time.')
  return { ancestors }
}

/** Signs the key. */
export function mint(deployment: Deployment, key: MintableKey): string {
  return signJwt(key.claims, deployment.keyRing.active(), KEY_TYPE)
}

/** Verifies form, header, signature and the types of the claims: what makes a key genuine, whatever has become of it. */
export function verifyGenuine(deployment: VerificationRules, token: string): KeyClaims {
  const claims = verifyJwt(token, { typ: KEY_TYPE, keyFor: (kid) => deployment.keyRing.find(kid) })
  if (!isKeyClaims(claims))
    throw new ProvisioningError('claims_malformed', 'A claim is missing or of a wrong type.')
  if (claims.iss !== deployment.issuer) {
    throw wrong(claims, 'issuer_wrong', `The key is from another issuer than ${deployment.issuer}.`)
  }
  return claims
}

/** Verifies the terms of a genuine key: for this deployment and one of the audiences, and in time. */
export function verifyTerms(
  deployment: VerificationRules,
  claims: KeyClaims,
  audiences: readonly string[],
): void {
  verifyValidity(deployment, claims, {
    noun: ['a', 'key'],
    audiences,
    maxLifetimeSeconds: deployment.maxLifetimeSeconds,
    refusal: (reason, message) => wrong(claims, reason, message),
  })
}

/** The key that genuine claims describe, once terms and possession have held. */
export function verifiedKey(claims: KeyClaims): VerifiedKey {
  return Object.freeze({ ...identityIn(claims), ancestors: claims.ancestors ?? [] }) as VerifiedKey
}

/** Whether a key says what was recorded when it was issued: to sign is not enough to get more than that. */
export function isAsRecorded(key: VerifiedKey, record: KeyRecord): boolean {
  const { jkt, 'x5t#S256': certificate } = key.confirmation ?? {}
  return (
    key.subject === record.subject &&
    key.audience === record.audience &&
    key.scope.join(' ') === record.scope.join(' ') &&
    key.issuedAt === record.issuedAt &&
    key.expiresAt === record.expiresAt &&
    jkt === record.confirmation?.jkt &&
    certificate === record.confirmation?.['x5t#S256']
  )
}

/** A refusal that names the key it is about. */
function wrong(claims: KeyClaims, reason: Reason, message: string): ProvisioningError {
  return new ProvisioningError(reason, message, { facts: { clientId: claims.client_id, jti: claims.jti } })
}

/** The claims of a genuine key, of the right types. */
export interface KeyClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly client_id: string
  readonly scope: string
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  readonly jti: string
  readonly cnf?: unknown
  readonly cidr?: readonly string[]
  readonly env?: string
  readonly ancestors?: readonly KeyRef[]
}

const STRING_CLAIMS = ['iss', 'aud', 'sub', 'client_id', 'scope', 'jti']
const TIME_CLAIMS = ['iat', 'nbf', 'exp']

function isTexts(list: unknown): boolean {
  return Array.isArray(list) && list.every((one) => typeof one === 'string')
}

function isKeyRefs(list: unknown): boolean {
  return Array.isArray(list) && list.every((one) => isTexts([one?.clientId, one?.jti]))
}

function isKeyClaims(claims: Claims): claims is Claims & KeyClaims {
  const { cidr, env, ancestors } = claims
  return (
    STRING_CLAIMS.every((name) => typeof claims[name] === 'string' && claims[name] !== '') &&
    TIME_CLAIMS.every((name) => Number.isSafeInteger(claims[name])) &&
    (cidr === undefined || isTexts(cidr)) &&
    (ancestors === undefined || isKeyRefs(ancestors)) &&
    (env === undefined || typeof env === 'string')
  )
}
