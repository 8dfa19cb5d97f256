import { malformed, ProvisioningError, type Reason } from '../base/errors.js'
import type { PresentedRequest, RequestSource } from '../base/request.js'
import { confirmUse } from '../clients/authentication/confirm-use.js'
import { changeClient, knownClient, readRecord } from '../clients/registry.js'
import type { Client, Registration } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import { extractKey } from '../tokens/presentation.js'
import { clientIdIn, findToken, isUnexpired, type RegistrationAccessToken } from './access-token.js'
import { deleteClient } from './deletion.js'
import { type ClientInformation, informationOf } from './information.js'

/** A client that has proven its identity to the management endpoint, and the registration access token it used. */
export interface Managed {
  readonly client: Client
  readonly registration: Registration
  readonly token: RegistrationAccessToken
}

/** A request to the management endpoint of one registration. */
export interface ManagementRequest {
  /** The client id in the path; `undefined` if the path has no valid one. */
  readonly clientId: string | undefined
  readonly presented: PresentedRequest
}

/** Counts a request against the rate limit of an authenticated client. */
export type Count = (clientId: string) => Promise<void> | undefined

/**
 * Finds the client that a registration access token belongs to (RFC 7592 2).
 *
 * A valid token at the path of another client was stolen or mixed up, so it is revoked. Anybody can send an invalid
 * token, so it revokes nothing.
 *
 * @throws ProvisioningError `credentials_missing`, and the errors of `extractKey`; `registration_token_wrong`,
 *   `registration_token_expired` and `registration_token_misused`, which have the same answer
 */
async function authorize(
  deployment: Deployment,
  { clientId, presented }: ManagementRequest,
): Promise<Managed> {
  const text = extractToken(presented)
  const managed = await findManaged(deployment, text)
  if (managed === undefined) throw refused('registration_token_wrong')
  const owner = managed.client.clientId
  if (!isUnexpired(managed.token.stored, numericDate(deployment)))
    throw refused('registration_token_expired', owner)
  if (owner === clientId) return managed
  const tokenRevoked = await revokeToken(deployment, owner, text)
  deployment.emit('registration.misused', { clientId: owner, tokenRevoked }, presented)
  throw refused('registration_token_misused', owner)
}

/** The token names its client, so the path is not needed here: it could name any client. */
async function findManaged(deployment: Deployment, text: string): Promise<Managed | undefined> {
  const owner = clientIdIn(text)
  const client = owner === undefined ? undefined : knownClient(await readRecord(deployment, owner))
  const registration = client?.registration
  const stored = findToken(registration, text)
  return client && registration && stored && { client, registration, token: { text, stored } }
}

/**
 * Authorizes and counts a request, which confirms the registration. A client that is being deleted can only be deleted
 * again.
 *
 * @throws ProvisioningError the errors of `authorize` and `count`; `confirmation_missed`
 */
export async function authorizeUnlessDeleted(
  deployment: Deployment,
  request: ManagementRequest,
  count: Count,
): Promise<Managed> {
  const managed = await authorize(deployment, request)
  const { clientId, deletedAt } = managed.client
  if (deletedAt !== undefined) throw refused('registration_token_wrong', clientId)
  await count(clientId)
  const client = await confirmed(deployment, managed.client, request.presented)
  return { ...managed, client, registration: client.registration ?? managed.registration }
}

async function confirmed(deployment: Deployment, client: Client, source: PresentedRequest): Promise<Client> {
  try {
    return await confirmUse(deployment, { client, source })
  } catch (error) {
    if (!(error instanceof ProvisioningError) || error.reason !== 'confirmation_missed') throw error
    throw refused(error.reason, client.clientId).with({ code: 'invalid_token' })
  }
}

/** Shows a client its registration (RFC 7592 2.1). */
export async function readRegistration(
  deployment: Deployment,
  request: ManagementRequest,
  count: Count,
): Promise<ClientInformation> {
  const { client, token } = await authorizeUnlessDeleted(deployment, request, count)
  return informationOf(client, { token: token.text })
}

/** Deletes a client at its own request (RFC 7592 2.3). The request also resumes a deletion that failed halfway. */
export async function deleteRegistration(
  deployment: Deployment,
  request: ManagementRequest,
  count: Count,
): Promise<void> {
  const { client } = await authorize(deployment, request)
  await count(client.clientId)
  await deleteClient(deployment, client.clientId, { by: 'client', source: request.presented })
}

/** Revokes a compromised registration access token. Texts that are no valid token are ignored. */
export async function revokeCompromisedToken(
  deployment: Deployment,
  text: string,
  { how, source }: { readonly how: 'exposed' | 'leaked'; readonly source: RequestSource },
): Promise<void> {
  const managed = await findManaged(deployment, text)
  if (managed === undefined || !isUnexpired(managed.token.stored, numericDate(deployment))) return
  const { clientId, deletedAt } = managed.client
  if (deletedAt !== undefined) return
  const tokenRevoked = await revokeToken(deployment, clientId, text)
  deployment.emit(`registration.${how}`, { clientId, tokenRevoked }, source)
}

/**
 * Revokes one token of a client. Returns whether the token is useless now: it may have ended at the same moment, with its
 * client or by another request. Never throws, because the request is refused anyway.
 */
function revokeToken(deployment: Deployment, clientId: string, text: string): Promise<boolean> {
  const changing = changeClient(deployment, clientId, (client) => {
    const { registration } = client ?? {}
    const revoked = findToken(registration, text)
    if (client === undefined || registration === undefined || revoked === undefined) return undefined
    const tokens = registration.tokens.filter(({ hash }) => hash !== revoked.hash)
    return { ...client, registration: { ...registration, tokens } }
  })
  return changing.then(
    () => true,
    () => false,
  )
}

/** RFC 7592 2: an OAuth 2.0 Bearer Token. It must be in the header (RFC 6750 2.1). */
function extractToken(presented: PresentedRequest): string {
  if (!presented.authorization.some((header) => /^bearer\b/i.test(header)))
    throw malformed('credentials_missing', WHAT_TO_PRESENT)
  return extractKey(presented, 'access token').token
}

const WHAT_TO_PRESENT = 'Present the registration access token as Authorization: Bearer <token>.'

/** The message is the same for every reason, so a wrong token does not show which clients exist (RFC 7592 2.1). */
function refused(reason: Reason, clientId?: string): ProvisioningError {
  return malformed(
    reason,
    'The registration access token is not accepted.',
    clientId === undefined ? {} : { clientId },
  )
}
