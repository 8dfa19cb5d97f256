import { ProvisioningError } from '../../base/errors.js'
import type { RequestSource } from '../../base/request.js'
import type { Client } from '../../ports/client.js'
import type { Deployment } from '../../ports/deployment.js'
import { emitConfirmed } from '../client-events.js'
import { withUseConfirmed } from '../confirmation.js'
import { changeClient } from '../registry.js'

/** A successful authentication. */
export interface ClientUse {
  /** The record of the client that was authenticated. */
  readonly client: Client
  /** The binding that it has used, if it has. */
  readonly bindingId?: string | undefined
  readonly source: RequestSource
}

/**
 * Confirms the registration and the binding that a client has authenticated with. Its request goes on only if the registry
 * has saved that, or if nothing is to be confirmed.
 *
 * @throws ProvisioningError `confirmation_missed` if the deadline has passed. `server_fault` if clients cannot be saved
 */
export async function confirmUse(
  deployment: Deployment,
  { client, bindingId, source }: ClientUse,
): Promise<Client> {
  const confirmed = withUseConfirmed(client, bindingId)
  if (confirmed === client) return client
  const { clientId } = client
  const changed = await changeClient(deployment, clientId, (before) => {
    if (before === undefined || !isSameEnrollment(before, client, bindingId)) throw missed(clientId)
    if (!deployment.registryWritable)
      throw new ProvisioningError('server_fault', NOT_WRITABLE, { facts: { clientId } })
    const after = withUseConfirmed(before, bindingId)
    return after === before ? undefined : after
  })
  const { before, after = confirmed } = changed ?? {}
  if (before !== undefined) emitConfirmed(deployment.emit, { before, after }, source)
  return after
}

/** Whether a record still has the registration and the binding that were used. It may be the record of a newer client. */
function isSameEnrollment(
  { registration, registeredBy, bindings }: Client,
  used: Client,
  bindingId: string | undefined,
): boolean {
  const isSameClient =
    registeredBy?.keyId === used.registeredBy?.keyId &&
    (registration === undefined) === (used.registration === undefined)
  return (
    isSameClient && (bindingId === undefined || bindings?.some((one) => one.bindingId === bindingId) === true)
  )
}

const NOT_WRITABLE =
  'clients is a lookup function, so the first use of a client cannot be saved: pass a list or a ClientRegistry.'

/** The refusal of a client whose registration or binding was undone. */
function missed(clientId: string): ProvisioningError {
  const message = 'The registration or the binding was not used before its deadline, and was undone.'
  return new ProvisioningError('confirmation_missed', message, { facts: { clientId } })
}
