import { EXCHANGE_GRANT, JWT_TOKEN_TYPE } from '../../base/oauth-names.js'
import type { ProofPair } from '../../testing/forged-token.js'
import { CheckEnd, type Finding, skipped } from '../check.js'
import {
  type DeploymentUnderTest,
  type IssuedKey,
  requireSupport,
  TOKEN_SCOPE,
} from './deployment-under-test.js'
import type { Exchange, Outgoing } from './exchange.js'

/** A place of the deployment where a key can be presented. */
export interface Place {
  readonly name: string
  /** Whether an accepted key is used up. */
  readonly redeems: boolean
  /** Whether it accepts keys only, and no access tokens. */
  readonly isForKeys: boolean
  request(token: string): Outgoing
  /** Whether the answer means that the key was accepted. */
  isAccepted(exchange: Exchange): boolean
}

/** The scheme of `Authorization` for a key. */
export function schemeOf(pair: ProofPair | undefined): string {
  return pair === undefined ? 'Bearer' : 'DPoP'
}

export const NO_ROUTE = 'there is no route; name one with --protected-url'

const isSuccess = ({ status }: Exchange) => status >= 200 && status < 300

/** The token endpoint, which redeems a key for an access token (RFC 8693). */
function exchangePlace(deployment: DeploymentUnderTest): Place {
  const form = { grant_type: EXCHANGE_GRANT, subject_token_type: JWT_TOKEN_TYPE }
  return {
    name: 'the token exchange',
    redeems: true,
    isForKeys: true,
    request: (token) => deployment.postOf('token_endpoint', { ...form, subject_token: token }, {}),
    isAccepted: ({ status, json }) => status === 200 && typeof json['access_token'] === 'string',
  }
}

function introspectionPlace(deployment: DeploymentUnderTest): Place {
  return {
    name: 'the introspection',
    redeems: false,
    isForKeys: false,
    request: (token) => deployment.postOf('introspection_endpoint', { token }),
    isAccepted: ({ json }) => json['active'] === true,
  }
}

function routePlace(url: string, pair: ProofPair | undefined, body?: string): Place {
  const json = { 'Content-Type': 'application/json' }
  return {
    name: url,
    redeems: body !== undefined,
    isForKeys: true,
    request: (token) => ({
      method: body === undefined ? 'GET' : 'POST',
      url,
      headers: { Authorization: `${schemeOf(pair)} ${token}`, ...(body !== undefined && json) },
      ...(body !== undefined && { text: body }),
    }),
    isAccepted: isSuccess,
  }
}

/** The place that redeems a key. @throws CheckEnd if there is none */
export function redemptionPlace(deployment: DeploymentUnderTest, { scope, pair, decoded }: IssuedKey): Place {
  const { redeemUrl, redeemBody = '{}' } = deployment.settings
  if (redeemUrl !== undefined) return routePlace(redeemUrl, pair, redeemBody)
  if (!deployment.supportsGrant(EXCHANGE_GRANT))
    throw new CheckEnd(
      skipped('the metadata have no token exchange (RFC 8693); name a route with --redeem-url'),
    )
  // Only keys of this package need a scope for the exchange.
  const isOfThisPackage = decoded?.header['typ'] === 'provisioning-key+jwt'
  if (scope.includes(TOKEN_SCOPE) || !isOfThisPackage) return exchangePlace(deployment)
  const remedy = 'name it and another one with --scope, or name a route with --redeem-url'
  throw new CheckEnd(skipped(`the key does not have the scope ${TOKEN_SCOPE}; ${remedy}`))
}

/** The place that verifies a key, if possible without redeeming it. @throws CheckEnd if there is none */
export function verificationPlace(deployment: DeploymentUnderTest, key: IssuedKey): Place {
  const { protectedUrl } = deployment.settings
  if (protectedUrl !== undefined) return routePlace(protectedUrl, key.pair)
  try {
    return redemptionPlace(deployment, key)
  } catch (error) {
    if (deployment.metadata['introspection_endpoint'] === undefined) throw error
    return introspectionPlace(deployment)
  }
}

/** A key, or another text in its place, and the private key to prove. */
export type Presented = Pick<IssuedKey, 'text' | 'pair'>

/** Presents a key at a place, with a DPoP proof if it is bound. */
export async function present(
  deployment: DeploymentUnderTest,
  { place, key }: { readonly place: Place; readonly key: Presented },
  signal: AbortSignal,
): Promise<Exchange> {
  const exchange = await deployment.send(proven(deployment, place, key), signal)
  requireSupport(exchange)
  if (place.redeems && place.isAccepted(exchange)) noteRedeemed(deployment, key.text, exchange)
  return exchange
}

/** Presents a key where keys are verified. It must be refused. */
export async function presentRefused(
  deployment: DeploymentUnderTest,
  { key, expected }: { readonly key: IssuedKey; readonly expected: string },
  signal: AbortSignal,
): Promise<Finding> {
  const place = verificationPlace(deployment, key)
  const exchange = await present(deployment, { place, key }, signal)
  return deployment.expect(exchange, isRefused(place, exchange), expected)
}

/** Whether a place refuses a token. An answer with 5xx is a fault of the server, and may come after it has acted. */
export function isRefused(place: Pick<Place, 'isAccepted'>, exchange: Exchange): boolean {
  return !place.isAccepted(exchange) && exchange.status < 500
}

/** Notes that a key is used up, and the token that it was redeemed for. */
export function noteRedeemed(deployment: DeploymentUnderTest, key: string, { json }: Exchange): void {
  deployment.isUsedUp(key)
  if (typeof json['access_token'] === 'string') deployment.keep(json['access_token'])
}

/** The request that presents a key at a place, with a DPoP proof of the key pair. */
export function proven(
  deployment: DeploymentUnderTest,
  place: Place,
  { text: token, pair }: Presented,
): Outgoing {
  const request = place.request(token)
  if (pair === undefined) return request
  const isInHeader = request.headers?.['Authorization'] === `DPoP ${token}`
  const proof = deployment.proof(pair, { ...request, ...(isInHeader && { token }) })
  return { ...request, headers: { ...request.headers, DPoP: proof } }
}
