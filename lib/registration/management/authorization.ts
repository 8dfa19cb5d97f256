import { malformed, type ProvisioningError, type Reason } from '../../base/errors.js'
import type { PresentedRequest } from '../../base/request.js'
import { changeClient, findClient, findStored } from '../../clients/registry.js'
import type { Client, RegistrationToken } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import { extractKey } from '../../tokens/presentation.js'
import { isAlive, keptOf, ownerIn } from '../access-token.js'

/** A client that manages itself, and the registration access token by which it does. */
export interface Managed {
  readonly client: Client
  readonly token: { readonly text: string; readonly kept: RegistrationToken }
}

/** Whose registration is to be managed, and by what request. */
export interface ManagementRequest {
  /** As the path names it; `undefined` when that names nobody. */
  readonly clientId: string | undefined
  readonly presented: PresentedRequest
}

/**
 * Finds out who manages itself (RFC 7592 2). A token that is good, but for another client, was stolen or mixed up, and
 * is revoked; one that is not good revokes nothing.
 *
 * @throws ProvisioningError `credentials_missing`, `registration_token_wrong`, `registration_token_expired`,
 *   `registration_token_misused`, all of them told alike; those of `extractKey`
 */
export async function authorize(
  deployment: Deployment,
  { clientId, presented }: ManagementRequest,
): Promise<Managed> {
  const text = extractToken(presented)
  const owner = ownerIn(text)
  // Asked about the token's client and not the path's, which may be anybody's: the path is only compared.
  const client = owner === undefined ? undefined : await findStored(deployment, owner)
  const kept = keptOf(client?.registration, text)
  if (client === undefined || kept === undefined) throw refused('registration_token_wrong')
  if (!isAlive(kept, numericDate(deployment))) throw refused('registration_token_expired', client.clientId)
  if (client.clientId === clientId) return { client, token: { text, kept } }
  const tokenRevoked = await revokeToken(deployment, client.clientId, text)
  deployment.emit('registration.misused', {
    clientId: client.clientId,
    address: presented.address,
    tokenRevoked,
  })
  throw refused('registration_token_misused', client.clientId)
}

/** Revokes whatever registration access token travelled in clear. */
export async function revokeExposedToken(
  deployment: Deployment,
  text: string,
  address: string | undefined,
): Promise<void> {
  const owner = ownerIn(text)
  const client = owner === undefined ? undefined : await findClient(deployment, owner)
  const kept = keptOf(client?.registration, text)
  if (client === undefined || kept === undefined || !isAlive(kept, numericDate(deployment))) return
  const { clientId } = client
  const tokenRevoked = await revokeToken(deployment, clientId, text)
  deployment.emit('registration.exposed', { clientId, address, tokenRevoked })
}

/** Takes a token away from its client; `false` when that did not succeed. Never throws: the request is refused anyhow. */
async function revokeToken(deployment: Deployment, clientId: string, text: string): Promise<boolean> {
  const changed = await changeClient(deployment, clientId, (client) => {
    const { registration } = client ?? {}
    const revoked = keptOf(registration, text)
    if (client === undefined || registration === undefined || revoked === undefined) return undefined
    const tokens = registration.tokens.filter(({ hash }) => hash !== revoked.hash)
    return { ...client, registration: { ...registration, tokens } }
  }).catch(() => undefined)
  return changed !== undefined
}

/** RFC 7592 2: an OAuth 2.0 Bearer Token, in the header (RFC 6750 2.1). */
function extractToken(presented: PresentedRequest): string {
  if (!presented.authorization.some((header) => /^bearer\b/i.test(header)))
    throw malformed('credentials_missing', WHAT_TO_PRESENT)
  return extractKey(presented, 'access token').token
}

const WHAT_TO_PRESENT = 'Present the registration access token as Authorization: Bearer <token>.'

/** Told alike, whatever the reason: a token that is wrong must not tell which clients there are (RFC 7592 2.1). */
export function refused(reason: Reason, clientId?: string): ProvisioningError {
  return malformed(
    reason,
    'The registration access token is not accepted.',
    clientId === undefined ? {} : { clientId },
  )
}
