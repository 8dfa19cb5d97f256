import { ProvisioningError } from '../base/errors.js'
import type { Client } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import { MOST_BINDINGS } from '../ports/policy-options.js'
import { CLIENT_ID } from './policy.js'

/** Finds a client. A client that is being deleted counts as missing. */
export async function findClient(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  const stored = await findStored(deployment, clientId)
  return stored?.deletedAt === undefined ? stored : undefined
}

/** Finds the record of a client, also while the client is being deleted. */
export async function findStored(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  return CLIENT_ID.test(clientId) ? callRegistry(() => deployment.registry.find(clientId)) : undefined
}

/**
 * Calls the registry.
 *
 * @throws ProvisioningError `registry_unavailable` when the registry does not answer: the request is then refused
 */
export async function callRegistry<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    if (cause instanceof ProvisioningError) throw cause
    throw new ProvisioningError('registry_unavailable', 'The client registry did not answer.', { cause })
  }
}

/** A change of a client that was kept: what it was before, and what it is now. */
export interface Changed {
  readonly before: Client | undefined
  readonly after: Client
}

/** What a client is to become; `undefined` leaves it as it is. Thrown refusals end the change. */
export type Change = (
  before: Client | undefined,
) => Promise<Omit<Client, 'revision'> | undefined> | Omit<Client, 'revision'> | undefined

/** Whoever loses as often as that against requests that each add a key finds no place free any more. */
const TRIES = MOST_BINDINGS + 4

/**
 * Changes a client as it is kept now, by compare-and-set: where another request was first, `change` judges anew what
 * that has left.
 *
 * @returns `undefined` when nothing was to be changed
 * @throws ProvisioningError `client_contended` when others were first too often; nothing has changed then
 */
export async function changeClient(
  deployment: Deployment,
  clientId: string,
  change: Change,
): Promise<Changed | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = await findClient(deployment, clientId)
    const wanted = await change(before)
    if (wanted === undefined) return undefined
    const after = { ...wanted, revision: (before?.revision ?? 0) + 1 }
    if (await callRegistry(() => deployment.registry.save(after))) return { before, after }
  }
  const message = 'The client is being changed by too many other requests at this moment.'
  throw new ProvisioningError('client_contended', message, { facts: { clientId } })
}
