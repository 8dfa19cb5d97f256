import { ProvisioningError } from '../base/errors.js'
import type { RequestSource } from '../base/request.js'
import { callRegistry, changeClient, knownClient } from '../clients/registry.js'
import type { Client } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import type { EventDetails } from '../ports/events.js'
import { revokeIssuedBefore } from '../tokens/issued-before.js'

export interface Deletion {
  /** Who causes the deletion. Default `operator`. */
  readonly by?: EventDetails['client.deleted']['by']
  /** The request that causes it. */
  readonly source?: RequestSource
  /** Decides from the stored client whether it is deleted. Default: it is. */
  readonly provided?: (client: Client) => boolean
}

/**
 * `unknown`: no such client exists, or no longer.
 *
 * @example
 * const outcome: DeleteOutcome = await keys.deleteClient('device:7')
 */
export type DeleteOutcome = 'deleted' | 'unknown'

/**
 * Deletes a client with its keys, tokens and bindings.
 *
 * First the client is marked: it can no longer authenticate. Then its keys and tokens are revoked. Then it leaves the
 * registry. If a step fails, the mark stays, and with it the registration access token, so the caller can try again.
 *
 * @throws ProvisioningError `store_unavailable`, `registry_unavailable`, `client_contended`: try again.
 *   `server_fault` if the registry cannot save clients
 */
export async function deleteClient(
  deployment: Deployment,
  clientId: string,
  { by = 'operator', source, provided = () => true }: Deletion = {},
): Promise<DeleteOutcome> {
  if (!deployment.registryWritable) throw new ProvisioningError('server_fault', NOT_WRITABLE)
  const marked = await mark(deployment, clientId, provided)
  if (marked === undefined) return 'unknown'
  await revokeIssuedBefore(deployment, { identity: clientId, issuedBefore: numericDate(deployment) })
  // The revision spares a new client that has taken the same id since.
  const isOurs = await callRegistry(() => deployment.registry.delete(clientId, marked.revision))
  if (isOurs) deployment.emit('client.deleted', { clientId, by }, source)
  return 'deleted'
}

const NOT_WRITABLE =
  'clients is a lookup function, which cannot delete clients: pass a list or a ClientRegistry, or delete it in your database.'

/** Marks a client as deleted, and removes all that a second attempt does not need. */
async function mark(
  deployment: Deployment,
  clientId: string,
  provided: (client: Client) => boolean,
): Promise<Client | undefined> {
  let markedBefore: Client | undefined
  const change = (stored: Client | undefined) => {
    if (stored === undefined || !provided(stored)) return undefined
    if (stored.deletedAt !== undefined) {
      markedBefore = stored
      return undefined
    }
    const { registeredBy, registration } = stored
    return {
      clientId,
      authenticationMethods: [],
      ...(registeredBy && { registeredBy }),
      ...(registration && { registration }),
      deletedAt: numericDate(deployment),
    }
  }
  const changed = await changeClient(deployment, clientId, change, knownClient)
  return changed?.after ?? markedBefore
}
