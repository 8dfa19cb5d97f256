import { createHash, randomBytes } from 'node:crypto'
import { ProvisioningError } from '../base/errors.js'
import { networkOf } from '../base/network.js'
import { isTexts, withoutUndefined } from '../base/object.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import type { Terms } from '../clients/policy.js'
import { BIND_SCOPE } from '../clients/scopes.js'
import type { Claims } from '../jose/jws.js'
import { signJwt } from '../jose/jwt.js'
import { wholeSeconds } from '../jose/signed-token.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import type { Confirmation, KeyRecord, KeyRef } from '../ports/store.js'
import {
  ISSUED_CLAIMS,
  type IssuedClaims,
  identityIn,
  issuedKind,
  type VerifiedIdentity,
} from './issued-token.js'

/** A key that is not signed yet: its record for the store, and its claims. */
export interface UnsignedKey {
  readonly record: KeyRecord
  readonly claims: Claims
}

declare const verified: unique symbol

/** A key that passed all checks. Only verification makes one. */
export interface VerifiedKey extends VerifiedIdentity {
  readonly [verified]: true
  /** The keys that were redeemed for the recent bindings of its client, when the client asked for this key. */
  readonly ancestors: readonly KeyRef[]
}

/** The longest chain of bindings within the lifetime of a key, each asked for with the previous one. */
const MOST_ANCESTORS = 16

/** A new `jti`: 160 random bits. */
export function randomId(): string {
  return randomBytes(20).toString('base64url')
}

/** Whether a text has the form of a `jti`. */
export function isRandomId(text: string): boolean {
  return /^[\w-]{27}$/.test(text)
}

/** The client that a key is made for. Without the source of its request, the record does not say where it was issued to. */
type KeyClient = Pick<AuthenticatedClient, 'clientId' | 'ancestors'> &
  Partial<Pick<AuthenticatedClient, 'source'>>

/**
 * Makes a key for a client, with terms that its policy allows.
 *
 * @throws ProvisioningError `client_contended` when the client has bound too many keys shortly before
 */
export function newKey(
  deployment: Deployment,
  { clientId, ancestors, source }: KeyClient,
  terms: Terms,
  confirmation: Confirmation | undefined,
): UnsignedKey {
  const issuedAt = numericDate(deployment)
  const expiresAt = issuedAt + Math.min(terms.lifetimeSeconds, deployment.maxLifetimeSeconds)
  const { subject, scope, audience, networks } = terms
  const retainUntil = expiresAt + deployment.clockToleranceSeconds
  const identity = { jti: randomId(), clientId, subject, scope, audience }
  const digested = { cidr: networks, ancestors: ancestorsIn(scope, ancestors) }
  return {
    record: withoutUndefined({
      ...identity,
      issuedAt,
      expiresAt,
      retainUntil,
      confirmation,
      claimsDigest: digestOf(digested),
      issuedTo: networkOf(source?.address),
      issuedToAgent: agentDigest(source?.userAgent),
    }),
    claims: withoutUndefined({
      iss: deployment.issuer,
      aud: audience,
      sub: subject,
      client_id: clientId,
      scope: scope.join(' '),
      iat: issuedAt,
      nbf: issuedAt,
      exp: expiresAt,
      jti: identity.jti,
      cnf: confirmation,
      ...digested,
      env: deployment.environment,
    }),
  }
}

/** A digest, because a user agent can be long, and a client chooses its text. */
export function agentDigest(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined) return undefined
  return createHash('sha256').update(userAgent).digest('base64url').slice(0, 16)
}

/** Names the ancestors in a key that can bind. A replay of an ancestor then ends the new binding too. */
function ancestorsIn(scope: readonly string[], ancestors: readonly KeyRef[]): readonly KeyRef[] | undefined {
  if (ancestors.length === 0 || !scope.includes(BIND_SCOPE)) return undefined
  if (ancestors.length > MOST_ANCESTORS)
    throw new ProvisioningError('client_contended', 'The client has bound too many keys in a short time.')
  return ancestors
}

export function signKey(deployment: Deployment, key: UnsignedKey): string {
  return signJwt(key.claims, deployment.keyRing.active(), PROVISIONING_KEY.typ)
}

/** The key with these claims. Call it only after all checks. */
export function verifiedKey(claims: KeyClaims): VerifiedKey {
  const { ancestors = NO_ANCESTORS } = claims
  return Object.freeze(Object.assign(identityIn(claims), { ancestors })) as VerifiedKey
}

const NO_ANCESTORS: readonly KeyRef[] = Object.freeze([])

/** The claims that only provisioning keys have. They are too long for the record, so the record has their digest. */
interface DigestedClaims {
  /** The networks from which the key may be presented. */
  readonly cidr?: readonly string[] | undefined
  readonly ancestors?: readonly KeyRef[] | undefined
}

const DIGESTED = Object.keys({ cidr: 1, ancestors: 1 } satisfies Record<
  keyof DigestedClaims,
  1
>) as (keyof DigestedClaims)[]

/** Most keys have no such claim, and need no digest. */
function digestOf(claims: DigestedClaims): string | undefined {
  const values = DIGESTED.map((name) => claims[name])
  if (values.every((value) => value === undefined)) return undefined
  return createHash('sha256').update(JSON.stringify(values)).digest('base64url')
}

/**
 * Whether the claims of a key match its record. Otherwise a thief of a signing key could sign a key with other terms.
 *
 * The other claims need no comparison. `client_id` and `jti` name the record. `iss` and `env` must be those of the
 * deployment. Claims that we do not know have no effect.
 */
export function isAsRecorded(claims: KeyClaims, record: KeyRecord): boolean {
  const { jkt, 'x5t#S256': certificate } = (claims.cnf ?? {}) as Confirmation
  return (
    claims.sub === record.subject &&
    claims.aud === record.audience &&
    claims.scope === record.scope.join(' ') &&
    claims.iat === record.issuedAt &&
    claims.nbf === record.issuedAt &&
    claims.exp === record.expiresAt &&
    jkt === record.confirmation?.jkt &&
    certificate === record.confirmation?.['x5t#S256'] &&
    digestOf(claims) === record.claimsDigest
  )
}

export interface KeyClaims extends IssuedClaims, DigestedClaims {
  readonly nbf: number
}

export const PROVISIONING_KEY = issuedKind<KeyClaims>({
  noun: 'The key',
  typ: 'provisioning-key+jwt',
  claims: {
    ...ISSUED_CLAIMS,
    nbf: wholeSeconds,
    cidr: { optional: isTexts },
    ancestors: { optional: isKeyRefs },
  },
  maxLifetimeSeconds: ({ maxLifetimeSeconds }) => maxLifetimeSeconds,
  factsOf: ({ client_id: clientId, jti, sub: subject, exp: expiresAt }) => ({
    clientId,
    jti,
    subject,
    expiresAt,
  }),
})

function isKeyRefs(list: unknown): boolean {
  return Array.isArray(list) && list.every((one) => isTexts([one?.clientId, one?.jti]))
}
