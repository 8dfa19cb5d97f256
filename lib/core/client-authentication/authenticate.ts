import type { Client } from '../client.js'
import { GRANT_TYPES } from '../client-metadata.js'
import { type Deployment, numericDate } from '../deployment.js'
import { ProvisioningError, type Reason } from '../errors.js'
import { CLIENT_ID, type Policy } from '../policy.js'
import type { Parameters, PresentedRequest } from '../request.js'
import { secretMatches } from '../secret.js'
import { type ClientAuthenticationMethod, type ClientCredentials, readClientCredentials } from './methods.js'

declare const authenticated: unique symbol

/** A client that has proven who it is. Only authentication makes one. */
export interface AuthenticatedClient {
  readonly [authenticated]: true
  readonly clientId: string
  /** How it has proven that. */
  readonly method: ClientAuthenticationMethod
  readonly policy: Policy
  /** The grants it has registered; a client that was configured may use all of them. */
  readonly grantTypes: readonly string[]
}

/** Authenticates the client of a request. */
export type Authenticate = (request: PresentedRequest, parameters: Parameters) => Promise<AuthenticatedClient>

/** Finds a client; a registry that fails refuses the request and lets nobody in. */
export async function findClient(deployment: Deployment, clientId: string): Promise<Client | undefined> {
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
    const fault = judge(deployment, credentials, client)
    if (fault !== undefined || client === undefined) throw refusal(fault ?? 'client_unknown', credentials)
    return Object.freeze({
      clientId: client.clientId,
      method: credentials.method,
      policy: deployment.policyOf(client),
      grantTypes: client.metadata?.grant_types ?? GRANT_TYPES,
    }) as AuthenticatedClient
  }
}

/** The secret is compared before anything else is told, so that an unknown client costs what a wrong secret costs. */
function judge(
  deployment: Deployment,
  credentials: ClientCredentials,
  client: Client | undefined,
): Reason | undefined {
  const matches = secretMatches(credentials.secret, client?.secretHash)
  if (client === undefined) return 'client_unknown'
  if (!matches) return 'client_secret_wrong'
  const expired = client.secretExpiresAt !== undefined && client.secretExpiresAt <= numericDate(deployment)
  if (expired) return 'client_secret_wrong'
  return client.authenticationMethods.includes(credentials.method) ? undefined : 'client_method_refused'
}

const MESSAGES: Partial<Record<Reason, string>> = {
  client_unknown: 'No such client.',
  client_secret_wrong: 'The client secret is wrong or has expired.',
  client_method_refused: 'The client may not authenticate in this way.',
}

function refusal(reason: Reason, { clientId, method }: ClientCredentials): ProvisioningError {
  // A name that is no client's is a stranger's text: it stays out of events.
  const facts = reason === 'client_unknown' ? {} : { clientId }
  return new ProvisioningError(reason, `${MESSAGES[reason]} (${method})`, { facts })
}
