import type { Client } from '../client.js'
import { findKept } from '../client-authentication/authenticate.js'
import { type Deployment, numericDate } from '../deployment.js'
import { malformed, ProvisioningError } from '../errors.js'
import type { EventDetails } from '../events.js'
import { saving } from '../registry.js'
import { revokeIssuedBefore } from '../revocation.js'
import { authorize, type ManagementRequest } from './authorization.js'
import type { Count } from './read.js'

/** Deletes a client at its own request (RFC 7592 2.3). */
export type DeleteRegistration = (request: ManagementRequest, count: Count) => Promise<void>

/** `unknown`: there is no such client (any more). */
export type DeleteOutcome = 'deleted' | 'unknown'

export function registrationDeleter(deployment: Deployment): DeleteRegistration {
  return async function deleteRegistration(request, count) {
    const { client } = await authorize(deployment, request)
    await count(client.clientId)
    await deleteClient(deployment, client.clientId, 'client')
  }
}

/**
 * Ends a client: it is nobody from then on, and its keys, tokens and bindings are good for nothing.
 *
 * It is marked before anything else, then what it had is revoked, then it is forgotten. Whatever fails on the way, no
 * part of it is at large: the mark stays, and with it the token by which to ask again, until the rest has succeeded.
 *
 * @throws ProvisioningError `store_unavailable`, `registry_unavailable`: to be tried again; `client_changed`
 */
export async function deleteClient(
  deployment: Deployment,
  clientId: string,
  by: EventDetails['client.deleted']['by'] = 'operator',
): Promise<DeleteOutcome> {
  if (!deployment.registryWritable)
    throw new ProvisioningError('server_fault', 'clients is a lookup function: no client can be deleted.')
  const marked = await mark(deployment, clientId)
  if (marked === undefined) return 'unknown'
  await revokeIssuedBefore(deployment, { identity: clientId, issuedBefore: numericDate(deployment) })
  // With its revision: whoever has come by the same identity since is another.
  const isOurs = await saving(() => deployment.registry.delete(clientId, marked.revision))
  if (isOurs) deployment.emit('client.deleted', { clientId, by })
  return 'deleted'
}

/** Against requests that each change the client, which cannot be many. */
const TRIES = 20

/** Marks a client as on its way out, with nothing left of it but what is needed to ask again. */
async function mark(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const kept = await findKept(deployment, clientId)
    if (kept === undefined || kept.deletedAt !== undefined) return kept
    const { revision, registeredBy, registration } = kept
    const marked: Client = {
      clientId,
      revision: revision + 1,
      authenticationMethods: [],
      ...(registeredBy && { registeredBy }),
      ...(registration && { registration }),
      deletedAt: numericDate(deployment),
    }
    if (await saving(() => deployment.registry.save(marked))) return marked
  }
  throw malformed('client_changed', 'The client is being changed by too many other requests at this moment.')
}
