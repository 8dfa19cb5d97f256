import { malformed, ProvisioningError, type RefusalFacts } from '../../base/errors.js'
import { ACCESS_TOKEN_TYPE, EXCHANGE_GRANT, JWT_TOKEN_TYPE } from '../../base/oauth-names.js'
import type { Parameters, RequestSource } from '../../base/request.js'
import { notPermitted, permitAudience } from '../../clients/policy.js'
import { parseScope, tokenScopes } from '../../clients/scopes.js'
import type { Client } from '../../ports/client.js'
import type { Deployment } from '../../ports/deployment.js'
import type { Policy } from '../../ports/policy-options.js'
import { constrain } from '../../possession/possession.js'
import type { VerifiedKey } from '../../tokens/provisioning-key.js'
import { issueToken, type ReadyToken } from '../../tokens/token-issuer.js'
import type { Verified } from '../key-state.js'
import { requestDigest } from '../outcome.js'
import { type ActionResult, runAction } from '../run-action.js'
import { clientOfKey } from './key-client.js'

/** The answer of RFC 8693 2.2.1. */
export interface ExchangeAnswer {
  readonly access_token: string
  readonly issued_token_type: string
  readonly token_type: 'Bearer' | 'DPoP'
  readonly expires_in: number
  readonly scope: string
}

/**
 * Reads the subject token of an exchange, which is the provisioning key.
 *
 * @throws ProvisioningError `parameter_missing`, `token_type_unsupported` (RFC 8693 2.1)
 */
export function readSubjectToken(parameters: Parameters): string {
  const token = parameters.get('subject_token')
  if (token === undefined) throw malformed('parameter_missing', 'subject_token is missing.')
  if (parameters.get('subject_token_type') !== JWT_TOKEN_TYPE) {
    throw malformed('token_type_unsupported', `subject_token_type is not ${JWT_TOKEN_TYPE}.`)
  }
  if (parameters.has('actor_token') || parameters.has('actor_token_type'))
    throw malformed('token_type_unsupported', 'actor_token and actor_token_type are not supported.')
  const requested = parameters.get('requested_token_type') ?? ACCESS_TOKEN_TYPE
  if (requested !== ACCESS_TOKEN_TYPE && requested !== JWT_TOKEN_TYPE) {
    throw malformed('token_type_unsupported', `requested_token_type is not ${ACCESS_TOKEN_TYPE}.`)
  }
  return token
}

/** Redeems a key for the initial access token of its subject. */
export async function exchangeKey(
  deployment: Deployment,
  verified: Verified,
  { parameters, source }: { readonly parameters: Parameters; readonly source?: RequestSource | undefined },
): Promise<ExchangeAnswer> {
  const { key } = verified
  const client = await clientOfKey(deployment, key)
  requireGrant(client, key)
  const policy = deployment.policyOf(client)
  const terms = {
    scope: permitScope(key, policy, parameters.get('scope')),
    audience: permitTarget(key, policy, parameters),
    lifetimeSeconds: policy.accessTokenLifetimeSeconds,
    confirmation: constrain(policy, verified, key.confirmation?.['x5t#S256'] !== undefined),
  }
  const requestedType = parameters.get('requested_token_type')
  return runAction(deployment, verified, {
    action: 'token',
    source,
    // A bearer key has no owner. The proof of the request names one, and the token is bound to the same key.
    ownerConfirmation: key.confirmation ?? terms.confirmation,
    digest: requestDigest('token', sortedParameters(parameters)),
    validate: async () => undefined,
    async act(_, redemptionId) {
      const issued = await issueToken(deployment, key, { terms, requestedType, redemptionId })
      return resultOf(deployment, key, issued)
    },
  })
}

/** The audience of the key, if the request names no other one: as `resource` or as `audience` (RFC 8693 2.1). */
function permitTarget(key: VerifiedKey, policy: Policy, parameters: Parameters): string {
  const permitted = policy.audiences.filter((one) => one === key.audience)
  const target = permitAudience(permitted, parameters.get('resource'), factsOf(key))
  const other = parameters.get('audience') ?? target
  if (other === target) return target
  throw notPermitted('audience_not_permitted', 'audience', permitted, factsOf(key))
}

/** A repeated request can have other values of these parameters: new credentials, or another spelling of the key. */
const CREDENTIALS: readonly string[] = [
  'subject_token',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
]

/** The parameters that a repeated request must repeat, in any order. */
function sortedParameters(parameters: Parameters): readonly (readonly [string, string])[] {
  return [...parameters].filter(([name]) => !CREDENTIALS.includes(name)).sort(([a], [b]) => (a < b ? -1 : 1))
}

function resultOf(
  deployment: Deployment,
  { jti: keyId, clientId, subject }: VerifiedKey,
  issued: ReadyToken,
): ActionResult<ExchangeAnswer> {
  const { tokenId, scope } = issued
  return {
    result: {
      access_token: issued.accessToken,
      issued_token_type: issued.issuedTokenType,
      token_type: issued.tokenType,
      expires_in: issued.expiresIn,
      scope: scope.join(' '),
    },
    // The store can revoke the family for as long as the token is accepted anywhere.
    retainUntil: issued.expiresAt + deployment.clockToleranceSeconds,
    emit(source) {
      const details = { keyId, clientId, subject, scope, ...(tokenId !== undefined && { tokenId }) }
      deployment.emit('token.issued', details, source)
    },
  }
}

function factsOf({ clientId, jti }: VerifiedKey): RefusalFacts {
  return { clientId, jti }
}

function requireGrant({ metadata }: Client, key: VerifiedKey): void {
  if (metadata?.grant_types?.includes(EXCHANGE_GRANT) ?? true) return
  throw new ProvisioningError(
    'grant_not_permitted',
    `The client has not registered the grant ${EXCHANGE_GRANT}.`,
    { facts: factsOf(key) },
  )
}

function permitScope(key: VerifiedKey, policy: Policy, requested: string | undefined): readonly string[] {
  const grantable = tokenScopes(policy)
  const permitted = key.scope.filter((scope) => grantable.has(scope))
  const scopes = requested === undefined ? permitted : parseScope(requested)
  if (scopes.length > 0 && scopes.every((scope) => permitted.includes(scope))) return scopes
  const facts = factsOf(key)
  if (permitted.length > 0) throw notPermitted('scope_not_permitted', 'scope', permitted, facts)
  const remedy =
    grantable.size === 0
      ? 'The policy of the client allows none: see policy.scopes and policy.accessTokenScopes.'
      : `Ask for a key that also has one of ${[...grantable].join(', ')}.`
  const message = `The key has no scope for an access token (provision:* is for keys only). ${remedy}`
  throw new ProvisioningError('scope_not_permitted', message, { facts })
}
