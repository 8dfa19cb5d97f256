import { unlessRefused } from '../base/caught-refusal.js'
import type { Parameters, RequestSource } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { noteCanary } from '../clients/client-events.js'
import { callStore, type Deployment, numericDate } from '../ports/deployment.js'
import { isLocked } from '../ports/lock.js'
import type { Confirmation } from '../ports/store.js'
import { tokenType } from '../possession/possession.js'
import { ACCESS_TOKEN, tokenFault } from './access-token.js'
import { type IssuedClaims, type IssuedKind, verifyTerms } from './issued-token.js'
import { isAsRecorded, PROVISIONING_KEY } from './provisioning-key.js'
import { readTokenReference, type TokenReference } from './token-reference.js'

/** The introspection response (RFC 7662 2.2). */
export type IntrospectionAnswer = { readonly active: false } | ActiveToken

interface ActiveToken {
  readonly active: true
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly client_id: string
  readonly scope: string
  readonly token_type: 'Bearer' | 'DPoP'
  /** RFC 9449 6.2. */
  readonly cnf?: Confirmation
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  readonly jti: string
}

const INACTIVE = Object.freeze({ active: false })

/**
 * Describes a key or an access token to a client. The client must own it, or its policy must allow it to introspect the
 * audience. Everything else is inactive (RFC 7662 2.2).
 */
export async function introspect(
  deployment: Deployment,
  client: AuthenticatedClient,
  parameters: Parameters,
): Promise<IntrospectionAnswer> {
  const caller = { clientId: client.clientId, audiences: client.policy.introspectAudiences }
  const reference = readTokenReference(deployment, parameters, caller)
  if (reference === undefined) return INACTIVE
  const { clientId } = reference.ref
  if (clientId !== client.clientId)
    noteCanary(deployment, { clientId, endpoint: 'introspect' }, client.source)
  return reference.kind === 'key'
    ? describeKey(deployment, reference, client.source)
    : describeAccessToken(deployment, reference)
}

async function describeKey(
  deployment: Deployment,
  { ref, claims }: TokenReference & { kind: 'key' },
  source: RequestSource,
): Promise<IntrospectionAnswer> {
  if (claims !== undefined && !meetsTerms(deployment, PROVISIONING_KEY, claims)) return INACTIVE
  const entry = await callStore(() => deployment.store.find(ref))
  const expired = entry !== undefined && entry.expiresAt <= numericDate(deployment)
  if (entry?.state !== 'issued' || expired) return INACTIVE
  // The client acts on the claims in the key, so a key with other claims than its record must not be active.
  if (claims !== undefined && !isAsRecorded(claims, entry)) {
    const { jti: keyId, clientId, subject } = entry
    deployment.emit('key.forged', { keyId, clientId, subject }, source)
    return INACTIVE
  }
  if (isLocked(entry)) return INACTIVE
  return {
    active: true,
    iss: deployment.issuer,
    aud: entry.audience,
    sub: entry.subject,
    client_id: entry.clientId,
    scope: entry.scope.join(' '),
    token_type: tokenType(entry.confirmation),
    ...(entry.confirmation && { cnf: entry.confirmation }),
    iat: entry.issuedAt,
    nbf: entry.issuedAt,
    exp: entry.expiresAt,
    jti: entry.jti,
  }
}

async function describeAccessToken(
  deployment: Deployment,
  { claims }: TokenReference & { kind: 'access_token' },
): Promise<IntrospectionAnswer> {
  if (!meetsTerms(deployment, ACCESS_TOKEN, claims) || claims.exp <= numericDate(deployment)) return INACTIVE
  if ((await tokenFault(deployment, claims)) !== undefined) return INACTIVE
  const { iss, aud, sub, client_id, scope, iat, exp, jti, cnf } = claims
  const bound = { token_type: tokenType(cnf), ...(cnf && { cnf }) }
  return { active: true, iss, aud, sub, client_id, scope, ...bound, iat, nbf: iat, exp, jti }
}

function meetsTerms<C extends IssuedClaims>(deployment: Deployment, kind: IssuedKind<C>, claims: C): boolean {
  return unlessRefused(() => verifyTerms(deployment, kind, claims, deployment.audiences) ?? true) ?? false
}
