import { ProvisioningError } from '../base/errors.js'
import { CLIENT_ID, type Client, nextRevision } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import { MOST_BINDINGS } from '../ports/policy-options.js'

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
 * @throws ProvisioningError `registry_unavailable` if the registry does not answer; then the request is refused
 */
export async function callRegistry<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof ProvisioningError) throw cause
    throw new ProvisioningError('registry_unavailable', 'The client registry did not answer.', { cause })
  }
}

/** A saved change: the client before and after it. */
export interface Changed {
  readonly before: Client | undefined
  readonly after: Client
}

/** The client after a change; `undefined` changes nothing. A refusal that it throws ends the change. */
export type Change = (
  before: Client | undefined,
) => Promise<Omit<Client, 'revision'> | undefined> | Omit<Client, 'revision'> | undefined

/** A request can lose once to each request that adds a binding. Then the client has no room for another one. */
const TRIES = MOST_BINDINGS + 4

/**
 * Changes a client by compare-and-set: if another request saves first, `change` runs again on what that one saved.
 *
 * @param find `findStored` also changes a client that is being deleted
 * @returns `undefined` if nothing was changed
 * @throws ProvisioningError `client_contended` if other requests were first too often; nothing has changed then
 */
export async function changeClient(
  deployment: Deployment,
  clientId: string,
  change: Change,
  find = findClient,
): Promise<Changed | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = await find(deployment, clientId)
    const wanted = await change(before)
    if (wanted === undefined) return undefined
    const after = { ...wanted, revision: nextRevision(before) }
    if (await callRegistry(() => deployment.registry.save(after))) return { before, after }
  }
  const message = 'Too many other requests change the client at this moment; try again later.'
  throw new ProvisioningError('client_contended', message, { facts: { clientId } })
}
