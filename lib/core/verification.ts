import type { KeyState } from '../stores/store.js'
import { asking, type Deployment } from './deployment.js'
import { malformed, ProvisioningError, type Reason } from './errors.js'
import { type VerifiedKey, verifyGenuine, verifyPresenter, verifyTerms } from './provisioning-key.js'
import { type PresentedRequest, SECRET_PARAMETERS } from './request.js'

/** What a key is verified against. Configured, never taken from the request. */
export interface Expectation {
  readonly audiences: readonly string[]
  readonly address: string | undefined
}

/** Verifies a presented key: genuine, for this audience, in time, and still `issued` as the store has it. */
export type Verify = (token: string, expected: Expectation) => Promise<VerifiedKey>

/** RFC 6750 2.1: `b64token`. */
const BEARER = /^Bearer +([\w.~+/-]+=*)$/i

/**
 * Takes the key out of a request.
 *
 * @throws ProvisioningError `token_in_query`, `header_repeated`, `token_presented_twice`, `header_malformed`,
 *   `credentials_missing`
 */
export function extractKey(request: PresentedRequest): string {
  refuseTokenInQuery(request)
  const [header, ...others] = request.authorization
  if (others.length > 0)
    throw malformed('header_repeated', 'The request has more than one Authorization header.')
  if (request.tokenInBody && header !== undefined) {
    throw malformed(
      'token_presented_twice',
      'The request presents a token in its body besides the Authorization header.',
    )
  }
  if (header === undefined || !/^Bearer\b/i.test(header)) {
    throw malformed('credentials_missing', 'Present the provisioning key as Authorization: Bearer <key>.')
  }
  const [, token] = BEARER.exec(header) ?? []
  if (token === undefined)
    throw malformed('header_malformed', 'The Authorization header is not Bearer <key>.')
  return token
}

/** Whatever stands in a query ends up in logs and histories (RFC 9700 2.4). */
export function refuseTokenInQuery(request: PresentedRequest): void {
  if (!SECRET_PARAMETERS.some((name) => request.queryNames.has(name))) return
  throw malformed('token_in_query', 'Tokens and secrets are never accepted in the query string.')
}

export function verifier(deployment: Deployment): Verify {
  return async function verify(token, expected) {
    const claims = verifyGenuine(deployment, token)
    verifyTerms(deployment, claims, expected.audiences)
    const key = verifyPresenter(claims, expected.address)
    const entry = await asking(() => deployment.store.find(key))
    const reason = REFUSALS[entry?.state ?? 'unknown']
    if (reason === undefined) return key
    if (reason === 'key_redeemed') await containReplay(deployment, key, expected.address)
    throw stateRefusal(reason, key)
  }
}

const REFUSALS: Record<KeyState | 'unknown', Reason | undefined> = {
  issued: undefined,
  redeeming: 'key_redeeming',
  redeemed: 'key_redeemed',
  revoked: 'key_revoked',
  unknown: 'key_unknown',
}

const MESSAGES: Partial<Record<Reason, string>> = {
  key_redeeming: 'The key is being redeemed by another request at this moment.',
  key_redeemed: 'The key has been redeemed; a key is good for one redemption.',
  key_revoked: 'The key has been revoked.',
  key_unknown: 'The store has no record of the key.',
}

/** The refusal of a key for the state it is in. */
export function stateRefusal(reason: Reason, key: VerifiedKey): ProvisioningError {
  const facts = { clientId: key.clientId, jti: key.jti }
  return new ProvisioningError(reason, MESSAGES[reason] ?? reason, { facts })
}

/**
 * A redeemed key that is presented once more was copied by somebody: what its redemption brought forth is revoked
 * (RFC 9700 2.2.2, RFC 6749 4.1.2). The key was verified before, so that a forger revokes nothing.
 */
export async function containReplay(
  deployment: Deployment,
  key: VerifiedKey,
  address?: string,
): Promise<void> {
  const outcome = await asking(() => deployment.store.revokeFamily(key))
  const { jti: keyId, clientId } = key
  deployment.emit('key.replayed', { keyId, clientId, address, familyRevoked: outcome === 'revoked' })
}

/** Refuses a key that does not carry a scope (RFC 6750 3.1). */
export function requireScope(key: VerifiedKey, scope: readonly string[]): void {
  const missing = scope.filter((one) => !key.scope.includes(one))
  if (missing.length === 0) return
  throw new ProvisioningError('scope_insufficient', `The key lacks the scope ${missing.join(' ')}.`, {
    facts: { clientId: key.clientId, jti: key.jti, requiredScope: scope.join(' ') },
  })
}
