import { ProvisioningError } from '../base/errors.js'
import { ACCESS_TOKEN_TYPE, JWT_TOKEN_TYPE } from '../base/oauth-names.js'
import { isObject } from '../base/object.js'
import type { AccessTokenIdentity, IssueInTime } from '../ports/access-token-identity.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import type { Confirmation } from '../ports/store.js'
import { tokenType } from '../possession/possession.js'
import { type AccessTokenTerms, mintAccessToken } from './access-token.js'
import type { VerifiedKey } from './provisioning-key.js'

/** An access token that is sent when its key is settled. */
export interface ReadyToken {
  readonly accessToken: string
  readonly tokenType: 'Bearer' | 'DPoP'
  readonly expiresIn: number
  /** NumericDate. */
  readonly expiresAt: number
  readonly scope: readonly string[]
  readonly issuedTokenType: string
  /** The `jti`. Absent if the authorization server of the host has issued the token. */
  readonly tokenId?: string
}

export interface TokenRequest {
  readonly terms: AccessTokenTerms
  readonly requestedType: string | undefined
  readonly redemptionId: string
}

/**
 * Issues an access token for a key: here, or at the authorization server of the host.
 *
 * @throws ProvisioningError `token_issuer_unavailable` when that server does not answer, `server_fault` when its answer
 *   is invalid; and every refusal that `issueAccessToken` throws
 */
export async function issueToken(
  deployment: Deployment,
  key: VerifiedKey,
  { terms, requestedType = ACCESS_TOKEN_TYPE, redemptionId }: TokenRequest,
): Promise<ReadyToken> {
  const { issueAccessToken } = deployment
  if (issueAccessToken !== undefined) {
    const issued = await askHost(issueAccessToken, identityOf(key, terms, redemptionId))
    return { ...issued, expiresAt: numericDate(deployment) + issued.expiresIn }
  }
  const { token, claims } = mintAccessToken(deployment, key, terms)
  return {
    accessToken: token,
    tokenType: tokenType(terms.confirmation),
    expiresIn: claims.exp - claims.iat,
    expiresAt: claims.exp,
    scope: terms.scope,
    issuedTokenType: requestedType,
    tokenId: claims.jti,
  }
}

function identityOf(
  key: VerifiedKey,
  { scope, confirmation, ...terms }: AccessTokenTerms,
  redemptionId: string,
) {
  return Object.freeze({
    clientId: key.subject,
    subject: key.subject,
    ...terms,
    scope: Object.freeze([...scope]),
    keyId: key.jti,
    keyClientId: key.clientId,
    redemptionId,
    ...(confirmation !== undefined && { confirmation: Object.freeze({ ...confirmation }) }),
    ...(key.environment !== undefined && { environment: key.environment }),
  }) satisfies AccessTokenIdentity
}

/** The client can repeat the request if the server does not answer. A refusal of the host goes to the client. */
async function askHost(issue: IssueInTime, identity: AccessTokenIdentity) {
  let answer: unknown
  try {
    answer = await issue(identity)
  } catch (cause) {
    if (cause instanceof ProvisioningError) throw cause
    throw new ProvisioningError('token_issuer_unavailable', 'issueAccessToken failed or did not answer.', {
      cause,
    })
  }
  return readAnswer(answer, identity)
}

/** Accepts only a token within the terms of the key and the policy. Messages never contain the token. */
function readAnswer(answer: unknown, identity: AccessTokenIdentity) {
  const given: Record<string, unknown> = isObject(answer) ? answer : {}
  const { accessToken, expiresIn, issuedTokenType = ACCESS_TOKEN_TYPE } = given
  // RFC 6749 A.12, but without spaces: the schemes of RFC 6750 and RFC 9449 cannot carry them.
  if (typeof accessToken !== 'string' || !/^[\x21-\x7e]+$/.test(accessToken))
    throw fault('accessToken', 'printable ASCII without spaces')
  if (!isWithin(expiresIn, identity.lifetimeSeconds))
    throw fault('expiresIn', `a whole number of seconds from 1 to ${identity.lifetimeSeconds}`)
  if (issuedTokenType !== ACCESS_TOKEN_TYPE && issuedTokenType !== JWT_TOKEN_TYPE)
    throw fault('issuedTokenType', `${ACCESS_TOKEN_TYPE} or ${JWT_TOKEN_TYPE}`)
  return {
    accessToken,
    expiresIn,
    scope: readScope(given.scope, identity.scope),
    tokenType: readType(given.tokenType, identity.confirmation),
    issuedTokenType,
  }
}

function isWithin(seconds: unknown, most: number): seconds is number {
  return Number.isSafeInteger(seconds) && Number(seconds) >= 1 && Number(seconds) <= most
}

function readScope(given: unknown, permitted: readonly string[]): readonly string[] {
  const scope: unknown = typeof given === 'string' ? given.split(' ') : (given ?? permitted)
  const isPermitted = (one: unknown): one is string => permitted.some((other) => other === one)
  if (Array.isArray(scope) && scope.length > 0 && scope.every(isPermitted)) return [...new Set(scope)]
  throw fault('scope', `some of ${permitted.join(' ')}, or nothing for all of it`)
}

/** RFC 6749 5.1: the case is ignored. The type must say whether the token is bound to a DPoP key. */
function readType(given: unknown, confirmation: Confirmation | undefined): 'Bearer' | 'DPoP' {
  const expected = tokenType(confirmation)
  if (given === undefined || (typeof given === 'string' && given.toLowerCase() === expected.toLowerCase()))
    return expected
  throw fault('tokenType', expected)
}

function fault(member: string, expected: string): ProvisioningError {
  return new ProvisioningError(
    'server_fault',
    `issueAccessToken returned a wrong ${member}: expected ${expected}.`,
  )
}
