import { ProvisioningError, type Reason } from '../base/errors.js'
import { loadKey } from '../jose/jwt.js'
import type { VerifyingDeployment } from '../ports/deployment.js'
import { isActive } from '../ports/issuer-state.js'
import {
  ACCESS_TOKEN,
  type AccessTokenClaims,
  familyOf,
  type TokenStateFault,
  tokenFacts,
  tokenFault,
} from './access-token.js'
import { identityIn, type VerifiedIdentity, verifyTerms } from './issued-token.js'
import { missingScope, type Presentation, verifyPresentation } from './presentation.js'

declare const verified: unique symbol

/** An access token that passed all checks. Only verification makes one. */
export interface VerifiedAccessToken extends VerifiedIdentity {
  readonly [verified]: true
  /** The `jti` of the key that was redeemed for it. */
  readonly keyId: string
  /** The client that asked for the key. `clientId` is the client of the token, which is the subject of the key. */
  readonly keyClientId: string
}

/** A verified access token, and a check that it is still valid. */
export interface AcceptedToken {
  readonly token: VerifiedAccessToken
  /**
   * Checks the token again at the end of a body, which may arrive slowly.
   *
   * @throws ProvisioningError `key_expired`, `client_locked`, `token_revoked`, `token_unknown`,
   *   `inactive_at_issuer`
   */
  recheck(): Promise<void>
}

/** Verifies a presented access token: signature, terms, possession, state and scope. */
export async function verifyAccessToken(
  deployment: VerifyingDeployment,
  presentation: Presentation,
): Promise<AcceptedToken> {
  const { credential, expected } = presentation
  const loading = loadKey(deployment.keyRing, credential.token)
  if (loading !== undefined) await loading
  const { claims, possession } = verifyPresentation(deployment, ACCESS_TOKEN, presentation)
  // This comes before every other refusal: a copy of a refused request must be useless. Proofs with an unbound token
  // are ignored, because anybody can send them.
  if (claims.cnf !== undefined) await possession.proof?.spend(familyOf(claims))
  const requireState = async () => {
    const fault = await stateFault(deployment, credential.token, claims)
    if (fault !== undefined) throw refusalOf(claims, fault, MESSAGES[fault])
  }
  await requireState()
  const token = verifiedAccessToken(claims)
  requireScope(claims, token.scope, expected.scope)
  return {
    token,
    async recheck() {
      verifyTerms(deployment, ACCESS_TOKEN, claims, expected.audiences)
      await requireState()
    },
  }
}

async function stateFault(
  deployment: VerifyingDeployment,
  token: string,
  claims: AccessTokenClaims,
): Promise<keyof typeof MESSAGES | undefined> {
  if (!('askIssuer' in deployment)) return tokenFault(deployment, claims)
  return (await isActive(deployment.askIssuer, token, claims)) ? undefined : 'inactive_at_issuer'
}

const MESSAGES: Record<TokenStateFault | 'inactive_at_issuer', string> = {
  token_forged: 'The access token is signed, but exceeds the terms of the provisioning key that it names.',
  token_revoked: 'The access token has been revoked.',
  client_locked: 'The client of the access token, or the client that asked for its key, is locked.',
  token_unknown: 'The store has no record of the redemption that the access token came from.',
  inactive_at_issuer: 'The issuer says that the access token is not active.',
}

/** RFC 6750 3.1. */
function requireScope(
  claims: AccessTokenClaims,
  carried: readonly string[],
  wanted: readonly string[],
): void {
  const missing = missingScope(carried, wanted)
  if (missing === undefined) return
  throw refusalOf(
    claims,
    'scope_insufficient',
    `The access token lacks the scope ${missing}.`,
    wanted.join(' '),
  )
}

/** A refusal after possession was checked. For a bound token it is disclosed, because its owner sent the request. */
function refusalOf(
  claims: AccessTokenClaims,
  reason: Reason,
  message: string,
  requiredScope?: string,
): ProvisioningError {
  const facts = { ...tokenFacts(claims), ...(requiredScope !== undefined && { requiredScope }) }
  return new ProvisioningError(reason, message, { facts, disclosed: claims.cnf !== undefined })
}

function verifiedAccessToken(claims: AccessTokenClaims): VerifiedAccessToken {
  return Object.freeze({
    ...identityIn(claims),
    keyId: claims.key_id,
    keyClientId: claims.key_client_id,
  }) as VerifiedAccessToken
}
