import { randomBytes } from 'node:crypto'
import { ProvisioningError } from '../base/errors.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import type { Terms } from '../clients/policy.js'
import type { Claims } from '../jose/jws.js'
import { signJwt } from '../jose/jwt.js'
import { texts, wholeSeconds } from '../jose/signed-token.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import type { Confirmation, KeyRecord, KeyRef } from '../ports/store.js'
import {
  ISSUED_CLAIMS,
  type IssuedClaims,
  type IssuedKind,
  identityIn,
  type VerifiedIdentity,
} from './issued-token.js'

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
  return signJwt(key.claims, deployment.keyRing.active(), PROVISIONING_KEY.typ)
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

/** The claims of a provisioning key. */
export interface KeyClaims extends IssuedClaims {
  readonly nbf: number
  /** The networks from which the key may be presented. */
  readonly cidr?: readonly string[]
  readonly ancestors?: readonly KeyRef[]
}

/** The provisioning key, as a kind of token. */
export const PROVISIONING_KEY: IssuedKind<KeyClaims> = {
  noun: 'The key',
  typ: 'provisioning-key+jwt',
  claims: {
    ...ISSUED_CLAIMS,
    nbf: wholeSeconds,
    cidr: { optional: texts },
    ancestors: { optional: isKeyRefs },
  },
  longestLifetime: ({ maxLifetimeSeconds }) => maxLifetimeSeconds,
  factsOf: ({ client_id: clientId, jti }) => ({ clientId, jti }),
}

function isKeyRefs(list: unknown): boolean {
  return Array.isArray(list) && list.every((one) => texts([one?.clientId, one?.jti]))
}
