import { ProvisioningError } from '../../base/errors.js'
import { callRegistry, findStored } from '../../clients/registry.js'
import type { Client } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import type { EventDetails } from '../../ports/events.js'
import { revokeIssuedBefore } from '../../tokens/revocation.js'
import { authorize, type ManagementRequest } from './authorization.js'
import type { Count } from './read.js'

/** Deletes a client at its own request (RFC 7592 2.3). */
export type DeleteRegistration = (request: ManagementRequest, count: Count) => Promise<void>

/** On whose behalf a client is deleted. */
export interface Deletion {
  /** Default `operator`. */
  readonly by?: EventDetails['client.deleted']['by']
  /** Whether it is this client that is meant, as it is kept when it is marked. Default: it is, whatever it has become. */
  readonly provided?: (client: Client) => boolean
}

/** `unknown`: there is no such client (any more). */
export type DeleteOutcome = 'deleted' | 'unknown'

export function registrationDeleter(deployment: Deployment): DeleteRegistration {
  return async function deleteRegistration(request, count) {
    const { client } = await authorize(deployment, request)
    await count(client.clientId)
    await deleteClient(deployment, client.clientId, { by: 'client' })
  }
}

/**
 * Ends a client: it is nobody from then on, and its keys, tokens and bindings are good for nothing.
 *
 * It is marked before anything else, then what it had is revoked, then it is forgotten. Whatever fails on the way, no
 * part of it is at large: the mark stays, and with it the token by which to ask again, until the rest has succeeded.
 *
 * @throws ProvisioningError `store_unavailable`, `registry_unavailable`, `client_contended`: to be tried again
 */
export async function deleteClient(
  deployment: Deployment,
  clientId: string,
  { by = 'operator', provided = () => true }: Deletion = {},
): Promise<DeleteOutcome> {
  if (!deployment.registryWritable)
    throw new ProvisioningError('server_fault', 'clients is a lookup function: no client can be deleted.')
  const marked = await mark(deployment, clientId, provided)
  if (marked === undefined) return 'unknown'
  await revokeIssuedBefore(deployment, { identity: clientId, issuedBefore: numericDate(deployment) })
  // With its revision: whoever has come by the same identity since is another.
  const isOurs = await callRegistry(() => deployment.registry.delete(clientId, marked.revision))
  if (isOurs) deployment.emit('client.deleted', { clientId, by })
  return 'deleted'
}

/** Against requests that each change the client, which cannot be many. */
const TRIES = 20

/** Marks a client as on its way out, with nothing left of it but what is needed to ask again. */
async function mark(
  deployment: Deployment,
  clientId: string,
  provided: (client: Client) => boolean,
): Promise<Client | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const kept = await findStored(deployment, clientId)
    if (kept === undefined || !provided(kept)) return undefined
    if (kept.deletedAt !== undefined) return kept
    const { revision, registeredBy, registration } = kept
    const marked: Client = {
      clientId,
      revision: revision + 1,
      authenticationMethods: [],
      ...(registeredBy && { registeredBy }),
      ...(registration && { registration }),
      deletedAt: numericDate(deployment),
    }
    if (await callRegistry(() => deployment.registry.save(marked))) return marked
  }
  const message = 'The client is being changed by too many other requests at this moment.'
  throw new ProvisioningError('client_contended', message, { facts: { clientId } })
}
