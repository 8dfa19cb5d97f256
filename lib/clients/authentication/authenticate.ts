import { ProvisioningError } from '../../base/errors.js'
import type { Parameters, PresentedRequest } from '../../base/request.js'
import type { Client } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import { type ClientAuthenticationMethod, PROVEN_BY } from '../../ports/methods.js'
import type { Policy } from '../../ports/policy-options.js'
import type { KeyRef } from '../../ports/store.js'
import { ancestorsOf } from '../bound-keys.js'
import { GRANT_TYPES } from '../client-metadata.js'
import { CLIENT_ID } from '../policy.js'
import type { ClientCredentials, Fault } from './credentials.js'
import { readClientCredentials } from './read.js'

declare const authenticated: unique symbol

/** A client that has proven who it is. Only authentication makes one. */
export interface AuthenticatedClient {
  readonly [authenticated]: true
  readonly clientId: string
  /** How it has proven that. */
  readonly method: ClientAuthenticationMethod
  readonly policy: Policy
  /** The client that registered or bound this one, if one did. */
  readonly registeredBy?: string
  /** The grants it has registered; a client that was configured may use all of them. */
  readonly grantTypes: readonly string[]
  /** The keys to which it owes its newest bindings. Empty if it authenticated with a secret. */
  readonly ancestors: readonly KeyRef[]
}

/** Authenticates the client of a request. */
export type Authenticate = (request: PresentedRequest, parameters: Parameters) => Promise<AuthenticatedClient>

/** Finds a client; a registry that fails refuses the request and lets nobody in. One that is being deleted is none. */
export async function findClient(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  const kept = await findKept(deployment, clientId)
  return kept?.deletedAt === undefined ? kept : undefined
}

/** Finds what is kept of a client, though it be on its way out. */
export async function findKept(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  try {
    return CLIENT_ID.test(clientId) ? await deployment.registry.find(clientId) : undefined
  } catch (cause) {
    if (cause instanceof ProvisioningError) throw cause
    throw new ProvisioningError('registry_unavailable', 'The client registry did not answer.', { cause })
  }
}

export function clientAuthenticator(deployment: Deployment): Authenticate {
  return async function authenticate(request, parameters) {
    const credentials = readClientCredentials(request, parameters)
    if (credentials === undefined) {
      throw new ProvisioningError(
        'client_authentication_missing',
        'The request does not authenticate its client.',
      )
    }
    const client = await findClient(deployment, credentials.clientId)
    const method = credentials.methodFor(client)
    const fault = checkCredentials(deployment, credentials, client)
    if (fault !== undefined || client === undefined) throw refusal(fault ?? UNKNOWN, credentials, method)
    await credentials.spend?.(deployment, client)
    return Object.freeze({
      clientId: client.clientId,
      method,
      policy: deployment.policyOf(client),
      ...(client.registeredBy && { registeredBy: client.registeredBy.clientId }),
      grantTypes: client.metadata?.grant_types ?? GRANT_TYPES,
      ancestors: PROVEN_BY[method] === 'secret' ? [] : ancestorsOf(client, oldestReplayable(deployment)),
    }) as AuthenticatedClient
  }
}

/** A key that was redeemed for a binding before has expired by now. */
function oldestReplayable(deployment: Deployment): number {
  return numericDate(deployment) - deployment.maxLifetimeSeconds - 2 * deployment.clockToleranceSeconds
}

const UNKNOWN: Fault = { reason: 'client_unknown', message: 'No such client.' }

/** The credentials are judged before anything else is told, so that time does not tell which clients exist. */
function checkCredentials(
  deployment: Deployment,
  credentials: ClientCredentials,
  client: Client | undefined,
): Fault | undefined {
  const fault = credentials.check(deployment, client)
  if (client === undefined) return UNKNOWN
  if (fault !== undefined) return fault
  return client.authenticationMethods.includes(credentials.methodFor(client))
    ? undefined
    : { reason: 'client_method_refused', message: 'The client may not authenticate in this way.' }
}

function refusal(
  { reason, message }: Fault,
  { clientId }: ClientCredentials,
  method: ClientAuthenticationMethod,
): ProvisioningError {
  // A name that is no client's is a stranger's text: it stays out of events.
  const facts = reason === 'client_unknown' ? {} : { clientId }
  return new ProvisioningError(reason, `${message} (${method})`, { facts })
}
