import { hashSecret, randomSecret, Secret, secretMatches } from '../base/secret.js'
import { CLIENT_ID } from '../clients/policy.js'
import type { Registration, RegistrationToken } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'

/** A registration access token on its way to its client, and what is kept of it. */
export interface IssuedToken {
  readonly text: string
  readonly kept: RegistrationToken
}

/** How many tokens of one client are good at once: the newest, and those it replaced a moment ago. */
const MOST_TOKENS = 3

/**
 * Makes a registration access token (RFC 7592 1.2): the client it is for, so that it can be told when it is presented
 * for another, and 256 random bits. Two parts, so that it is never taken for a JWT.
 */
export function issueRegistrationToken(deployment: Deployment, clientId: string): IssuedToken {
  const text = `${Buffer.from(clientId).toString('base64url')}.${randomSecret()}`
  return { text, kept: { hash: hashSecret(text), expiresAt: expiryFrom(deployment) } }
}

function expiryFrom(deployment: Deployment): number {
  return numericDate(deployment) + deployment.registration.accessTokenLifetimeSeconds
}

/** The client that a token says it is for; `undefined` when it has not the form of a token. */
export function ownerIn(token: string): string | undefined {
  const [, encoded = ''] = /^([\w-]{1,340})\.[\w-]{43}$/.exec(token) ?? []
  const owner = Buffer.from(encoded, 'base64url').toString('latin1')
  // One client has one spelling.
  const isCanonical = encoded !== '' && Buffer.from(owner, 'latin1').toString('base64url') === encoded
  return isCanonical && CLIENT_ID.test(owner) ? owner : undefined
}

/** What is kept of a token, when it is one of these; whoever's they are, the same work is done. */
export function keptOf(
  { tokens = [] }: Partial<Registration> = {},
  token: string,
): RegistrationToken | undefined {
  const secret = new Secret(token)
  const matches = Array.from({ length: MOST_TOKENS }, (_, i) => secretMatches(secret, tokens[i]?.hash))
  return tokens[matches.indexOf(true)]
}

/** Whether its time has not come; one whose time cannot be read has none. */
export function isAlive({ expiresAt }: RegistrationToken, now: number): boolean {
  return now < expiresAt
}

/**
 * The tokens of a client once it has updated itself by one of them. The newest gets a new life, or a successor where
 * that is configured; those that have been replaced end with the overlap, and none of them lives longer by it.
 */
export function renewedTokens(
  deployment: Deployment,
  clientId: string,
  tokens: readonly RegistrationToken[],
  presented: { readonly text: string; readonly kept: RegistrationToken },
): { readonly text: string; readonly tokens: readonly RegistrationToken[] } {
  const { rotateAccessToken, overlapSeconds } = deployment.registration
  if (rotateAccessToken) {
    const { text, kept } = issueRegistrationToken(deployment, clientId)
    const end = numericDate(deployment) + overlapSeconds
    const former = tokens
      .map((token) => ({ ...token, expiresAt: Math.min(token.expiresAt, end) }))
      .filter((token) => isAlive(token, numericDate(deployment)))
    return { text, tokens: [kept, ...former].slice(0, MOST_TOKENS) }
  }
  const [newest, ...former] = tokens
  if (newest?.hash !== presented.kept.hash) return { text: presented.text, tokens }
  return { text: presented.text, tokens: [{ ...newest, expiresAt: expiryFrom(deployment) }, ...former] }
}
