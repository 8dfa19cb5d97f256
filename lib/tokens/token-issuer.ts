import { ProvisioningError } from '../base/errors.js'
import type { AccessTokenIdentity, IssueInTime } from '../ports/access-token-identity.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import type { Confirmation } from '../ports/store.js'
import { tokenType } from '../possession/possession.js'
import { type AccessTokenTerms, mintAccessToken } from './access-token.js'
import type { VerifiedKey } from './provisioning-key.js'

/** RFC 8693 3. */
export const JWT_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** A token that is ready to be handed out, when its key is settled. */
export interface ReadyToken {
  readonly accessToken: string
  readonly tokenType: 'Bearer' | 'DPoP'
  readonly expiresIn: number
  /** NumericDate. */
  readonly expiresAt: number
  readonly scope: readonly string[]
  readonly issuedTokenType: string
  readonly tokenId?: string
}

export type IssueToken = (
  key: VerifiedKey,
  terms: AccessTokenTerms,
  asked: { readonly requestedType: string | undefined; readonly redemptionId: string },
) => Promise<ReadyToken>

/** Makes the verb that brings an initial access token forth: minted here, or by the host's own server. */
export function tokenIssuer(deployment: Deployment): IssueToken {
  const { issueAccessToken } = deployment
  return issueAccessToken === undefined ? minter(deployment) : delegate(deployment, issueAccessToken)
}

function minter(deployment: Deployment): IssueToken {
  return async function mint(key, terms, { requestedType = ACCESS_TOKEN_TYPE }) {
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
}

function delegate(deployment: Deployment, issue: IssueInTime): IssueToken {
  return async function delegateIssue(key, terms, { redemptionId }) {
    const issued = await answerOf(issue, identityOf(key, terms, redemptionId))
    return { ...issued, expiresAt: numericDate(deployment) + issued.expiresIn }
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

/** A server that does not answer is one to ask again later; a deliberate no of the host's goes to the client as it is. */
async function answerOf(issue: IssueInTime, identity: AccessTokenIdentity) {
  let answer: unknown
  try {
    answer = await issue(identity)
  } catch (cause) {
    if (cause instanceof ProvisioningError) throw cause
    throw new ProvisioningError('token_issuer_unavailable', 'issueAccessToken did not answer.', { cause })
  }
  return readAnswer(answer, identity)
}

/** Whatever the other server allows: nothing goes beyond what key and policy do. The token is never repeated. */
function readAnswer(answer: unknown, identity: AccessTokenIdentity): Omit<ReadyToken, 'expiresAt'> {
  const given = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<string, unknown>
  const { accessToken, expiresIn, issuedTokenType = ACCESS_TOKEN_TYPE } = given
  // RFC 6749 A.12, without the space, which no scheme of RFC 6750 or RFC 9449 could carry.
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
  const scope: readonly unknown[] = typeof given === 'string' ? given.split(' ') : asList(given ?? permitted)
  const isPermitted = scope.length > 0 && scope.every((one) => permitted.some((other) => other === one))
  if (isPermitted) return [...new Set(scope as readonly string[])]
  throw fault('scope', `some of ${permitted.join(' ')}, or nothing for all of it`)
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** RFC 6749 5.1: without case. A bound token must not be called one that anybody can use, nor the other way round. */
function readType(given: unknown, confirmation: Confirmation | undefined): 'Bearer' | 'DPoP' {
  const fitting = tokenType(confirmation)
  if (given === undefined || (typeof given === 'string' && given.toLowerCase() === fitting.toLowerCase()))
    return fitting
  throw fault('tokenType', fitting)
}

function fault(member: string, expected: string): ProvisioningError {
  return new ProvisioningError(
    'server_fault',
    `issueAccessToken answered with a wrong ${member}: expected ${expected}.`,
  )
}
