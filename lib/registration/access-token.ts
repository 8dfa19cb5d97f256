import { decodeCanonical } from '../base/canonical-base64.js'
import { hashSecret, randomSecret, Secret, secretMatches } from '../base/secret.js'
import { CLIENT_ID, type Registration, type RegistrationToken } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'

/** A registration access token (RFC 7592 1.2): its text, which only the client has, and its stored hash. */
export interface RegistrationAccessToken {
  readonly text: string
  readonly stored: RegistrationToken
}

/** The most valid tokens of a client: the newest, and those that it has replaced within the overlap. */
const MOST_TOKENS = 3

/**
 * Issues a token of two parts: the id of the client, and 256 random bits. With the id we find the owner of a token that
 * is sent to the registration of another client. A JWT has three parts, so nothing takes the token for one.
 */
export function issueRegistrationToken(deployment: Deployment, clientId: string): RegistrationAccessToken {
  const text = `${Buffer.from(clientId).toString('base64url')}.${randomSecret()}`
  return { text, stored: { hash: hashSecret(text), expiresAt: expiryFrom(deployment) } }
}

function expiryFrom(deployment: Deployment): number {
  return numericDate(deployment) + deployment.registration.accessTokenLifetimeSeconds
}

/** Reads the client id in a token. It is not verified. Returns `undefined` if the text is no such token. */
export function clientIdIn(token: string): string | undefined {
  const [, encoded = ''] = /^([\w-]{1,340})\.[\w-]{43}$/.exec(token) ?? []
  const clientId = decodeCanonical(encoded, 'base64url')?.toString('latin1') ?? ''
  return CLIENT_ID.test(clientId) ? clientId : undefined
}

/** Finds the stored hash of a token. The work does not depend on the tokens, so time does not show if they exist. */
export function findToken(
  { tokens = [] }: Partial<Registration> = {},
  text: string,
): RegistrationToken | undefined {
  const secret = new Secret(text)
  const matches = Array.from({ length: MOST_TOKENS }, (_, i) => secretMatches(secret, tokens[i]?.hash))
  return tokens[matches.indexOf(true)]
}

/** Whether a token is still valid at a NumericDate. One with an `expiresAt` that is no number is not. */
export function isUnexpired({ expiresAt }: RegistrationToken, now: number): boolean {
  return now < expiresAt
}

interface Renewal {
  readonly clientId: string
  /** The stored tokens, the newest first. */
  readonly tokens: readonly RegistrationToken[]
  /** The token of this request. */
  readonly presented: RegistrationAccessToken
}

/**
 * Renews the tokens of a client that updates its registration.
 *
 * With `rotateAccessToken` the client gets a new token, and its other tokens end after the overlap at the latest.
 * Without it the presented token gets a new lifetime if it is the newest; an older one stays as it is.
 *
 * @returns the text that the answer shows, and the tokens to store
 */
export function renewTokens(
  deployment: Deployment,
  { clientId, tokens, presented }: Renewal,
): { readonly text: string; readonly tokens: readonly RegistrationToken[] } {
  const { rotateAccessToken, overlapSeconds } = deployment.registration
  if (rotateAccessToken) {
    const { text, stored } = issueRegistrationToken(deployment, clientId)
    const end = numericDate(deployment) + overlapSeconds
    const former = tokens
      .map((token) => ({ ...token, expiresAt: Math.min(token.expiresAt, end) }))
      .filter((token) => isUnexpired(token, numericDate(deployment)))
    return { text, tokens: [stored, ...former].slice(0, MOST_TOKENS) }
  }
  const [newest, ...former] = tokens
  if (newest?.hash !== presented.stored.hash) return { text: presented.text, tokens }
  return { text: presented.text, tokens: [{ ...newest, expiresAt: expiryFrom(deployment) }, ...former] }
}
