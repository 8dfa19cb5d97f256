import { malformed, ProvisioningError } from '../../base/errors.js'
import type { Parameters, PresentedRequest, RequestSource } from '../../base/request.js'
import type { Client } from '../../ports/client.js'
import { callStore, type Deployment, numericDate } from '../../ports/deployment.js'
import { type ClientAuthenticationMethod, PROVEN_BY } from '../../ports/methods.js'
import type { Policy } from '../../ports/policy-options.js'
import type { KeyRef } from '../../ports/store.js'
import { ancestorsOf } from '../bound-keys.js'
import { GRANT_TYPES } from '../client-metadata.js'
import { withUseConfirmed } from '../confirmation.js'
import { bindingIdOf } from '../last-use.js'
import { presentClient, readRecord } from '../registry.js'
import { readAssertion } from './assertion.js'
import { readClientCertificate } from './certificate.js'
import { confirmUse } from './confirm-use.js'
import { type ClientCredentials, type Fault, METHOD_REFUSED, type ReadCredentials } from './credentials.js'
import { readBasic, readPost } from './secret.js'

declare const authenticated: unique symbol

/** A client that has proven its identity. Only authentication makes one. */
export interface AuthenticatedClient {
  readonly [authenticated]: true
  readonly clientId: string
  /** The method that it used. */
  readonly method: ClientAuthenticationMethod
  readonly policy: Policy
  /** The client that registered or bound this one, if one did. */
  readonly registeredBy?: string
  /** The grants that it has registered. A configured client may use all of them. */
  readonly grantTypes: readonly string[]
  /** The provisioning keys behind its newest bindings. Empty if it authenticated with a secret. */
  readonly ancestors: readonly KeyRef[]
  readonly source: RequestSource
}

export async function authenticateClient(
  deployment: Deployment,
  request: PresentedRequest,
  parameters: Parameters,
): Promise<AuthenticatedClient> {
  const credentials = readClientCredentials(request, parameters)
  if (credentials === undefined) {
    throw new ProvisioningError(
      'client_authentication_missing',
      'The request has no client credentials: send a secret, an assertion or a certificate.',
    )
  }
  // The record may have overdue parts: the reason of the refusal says so if the credentials are right.
  const client = presentClient(await readRecord(deployment, credentials.clientId))
  const method = credentials.methodFor(client)
  const fault = checkCredentials(deployment, credentials, client)
  if (fault !== undefined || client === undefined) throw refusal(fault ?? UNKNOWN, credentials, method)
  const { address, userAgent, traceparent } = request
  const source = { address, userAgent, traceparent, authenticationMethod: method }
  const bindingId = bindingIdOf(client.bindings ?? [], credentials.provenKey?.() ?? {})
  const ancestors = await settledOrigins(deployment, withUseConfirmed(client, bindingId), method)
  await credentials.spend?.(deployment, client)
  const used = await confirmUse(deployment, { client, bindingId, source })
  deployment.noteUse({ clientId: client.clientId, bindingId, source })
  return Object.freeze({
    clientId: client.clientId,
    method,
    policy: deployment.policyOf(used),
    ...(client.registeredBy && { registeredBy: client.registeredBy.clientId }),
    grantTypes: client.metadata?.grant_types ?? GRANT_TYPES,
    ancestors,
    source,
  }) as AuthenticatedClient
}

/**
 * Finds the provisioning keys behind a client, and refuses the client if one of them is not settled. A binding that waits
 * for its first use does not count: it has nothing to do with the request, and must not disturb the other bindings.
 *
 * @param client the client after this use
 */
async function settledOrigins(
  deployment: Deployment,
  client: Client,
  method: ClientAuthenticationMethod,
): Promise<readonly KeyRef[]> {
  const { clientId, bindings = [] } = client
  const oldest = oldestReplayable(deployment)
  const usable = { clientId, bindings: bindings.filter(({ confirmBy }) => confirmBy === undefined) }
  const ancestors = PROVEN_BY[method] === 'secret' ? [] : ancestorsOf(usable, oldest)
  await requireSettled(deployment, [...ancestors, ...registeringKeyOf(client, oldest)], client)
  return ancestors
}

/**
 * Keys that were redeemed before this NumericDate have expired, and can no longer be replayed. Two clocks count: the one
 * that set the time of the redemption, and the one that checks the expiry.
 */
function oldestReplayable(deployment: Deployment): number {
  return numericDate(deployment) - deployment.maxLifetimeSeconds - 2 * deployment.clockToleranceSeconds
}

/** The key that registered a client, if that was after `since`. */
function registeringKeyOf({ registeredBy, registration }: Client, since: number): readonly KeyRef[] {
  if (registeredBy === undefined || registration === undefined || registration.issuedAt < since) return []
  return [{ clientId: registeredBy.clientId, jti: registeredBy.keyId }]
}

/**
 * Refuses a client until its provisioning key is settled, and after its provisioning was undone. A registration or a
 * binding is saved before its key is settled. Without this check, a thief could use it in between and keep the result.
 *
 * @throws ProvisioningError `client_unknown`
 */
async function requireSettled(
  { store }: Deployment,
  origins: readonly KeyRef[],
  { clientId }: Client,
): Promise<void> {
  // The store may have forgotten a key that has expired.
  const entries = await callStore(() => Promise.all(origins.map((key) => store.find(key))))
  if (entries.every((entry) => entry === undefined || entry.state === 'redeemed')) return
  const message =
    'The redemption of the key that registered or bound the client is not complete; repeat that request.'
  throw new ProvisioningError('client_unknown', message, { facts: { clientId } })
}

const UNKNOWN: Fault = { reason: 'client_unknown', message: 'No client has this id.' }

/** Checks the credentials first, also of an unknown client, so time does not show which clients exist. */
function checkCredentials(
  deployment: Deployment,
  credentials: ClientCredentials,
  client: Client | undefined,
): Fault | undefined {
  const fault = credentials.check(deployment, client)
  if (client === undefined) return UNKNOWN
  if (fault !== undefined) return fault
  return client.authenticationMethods.includes(credentials.methodFor(client)) ? undefined : METHOD_REFUSED
}

function refusal(
  { reason, message }: Fault,
  { clientId }: ClientCredentials,
  method: ClientAuthenticationMethod,
): ProvisioningError {
  // The id of an unknown client is a text that a stranger chose, so events do not contain it.
  const facts = reason === 'client_unknown' ? {} : { clientId }
  return new ProvisioningError(reason, `${message.slice(0, -1)} (${method}).`, { facts })
}

const READERS: readonly ReadCredentials[] = [readBasic, readPost, readAssertion]

/**
 * Reads the credentials of the client. A request must not use more than one method (RFC 6749 2.3).
 *
 * @returns `undefined` if the request has no credentials
 * @throws ProvisioningError `client_authentication_repeated`, `header_malformed`,
 *   `header_repeated`, `client_mismatch`, `parameter_missing`, `client_assertion_malformed`
 */
export function readClientCredentials(
  request: PresentedRequest,
  parameters: Parameters,
): ClientCredentials | undefined {
  if (request.authorization.length > 1) {
    throw malformed('header_repeated', 'The request has more than one Authorization header.')
  }
  const presented = READERS.flatMap((read) => read(request, parameters) ?? [])
  // A connection can have a certificate for other reasons, so it counts only without other credentials.
  const [credentials = readClientCertificate(request, parameters)] = presented
  if (presented.length > 1) {
    throw malformed(
      'client_authentication_repeated',
      'The request authenticates the client by more than one method.',
    )
  }
  const named = parameters.get('client_id')
  if (credentials !== undefined && named !== undefined && named !== credentials.clientId) {
    throw malformed(
      'client_mismatch',
      'The client_id parameter names another client than the credentials; send the same id.',
    )
  }
  return credentials
}
