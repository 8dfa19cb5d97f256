import { ProvisioningError } from '../base/errors.js'
import { CLIENT_ID, type Client, nextRevision } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import { MOST_BINDINGS } from '../ports/policy-options.js'
import { emitUndone } from './client-events.js'
import { withoutOverdue } from './confirmation.js'

/** Finds a client. A client that is being deleted, or that was undone, counts as missing. */
export async function findClient(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  return presentClient(await findRecord(deployment, clientId))
}

/** The client of a record. A client that is being deleted, or that was undone, counts as missing. */
export function presentClient(record: Client | undefined): Client | undefined {
  return record?.deletedAt === undefined ? knownClient(record) : undefined
}

/** The client of a record, also while the client is being deleted. */
export function knownClient(record: Client | undefined): Client | undefined {
  return record?.undoneAt === undefined ? record : undefined
}

/** Reads the record of a client, and changes nothing. A part of it may be overdue. */
export async function readRecord(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  return CLIENT_ID.test(clientId) ? callRegistry(() => deployment.registry.find(clientId)) : undefined
}

/**
 * Finds the record of a client, also while the client is being deleted or after it was undone. First it undoes the
 * overdue parts of the client.
 *
 * @throws ProvisioningError `client_contended`
 */
export async function findRecord(deployment: Deployment, clientId: string): Promise<Client | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const record = await readRecord(deployment, clientId)
    const left = record && withoutOverdue(record, numericDate(deployment))
    if (record === undefined || left === undefined) return record
    const after = { ...left, revision: nextRevision(record) }
    if (!deployment.registryWritable) return after
    if (await callRegistry(() => deployment.registry.save(after))) {
      emitUndone(deployment.emit, { before: record, after })
      return after
    }
  }
  throw contended(clientId)
}

/**
 * Calls the registry.
 *
 * @throws ProvisioningError `registry_unavailable` if the registry fails or does not answer; then the request is refused
 */
export async function callRegistry<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof ProvisioningError) throw cause
    throw new ProvisioningError('registry_unavailable', 'The client registry failed or did not answer.', {
      cause,
    })
  }
}

/** A saved change: the client before and after it. */
export interface Changed {
  readonly before: Client | undefined
  readonly after: Client
  /** The record before it. If the client had been undone, there is a record and no client. */
  readonly record: Client | undefined
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
 * @param clientOf `knownClient` also changes a client that is being deleted
 * @returns `undefined` if nothing was changed
 * @throws ProvisioningError `client_contended` if other requests were first too often; nothing has changed then
 */
export async function changeClient(
  deployment: Deployment,
  clientId: string,
  change: Change,
  clientOf = presentClient,
): Promise<Changed | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const record = await findRecord(deployment, clientId)
    const before = clientOf(record)
    const wanted = await change(before)
    if (wanted === undefined) return undefined
    // A record that was undone is overwritten, but never one that is being deleted.
    const after = { ...wanted, revision: nextRevision(knownClient(record) === undefined ? record : before) }
    if (await callRegistry(() => deployment.registry.save(after))) return { before, after, record }
  }
  throw contended(clientId)
}

function contended(clientId: string): ProvisioningError {
  const message = 'Too many other requests change the client at this moment; try again later.'
  return new ProvisioningError('client_contended', message, { facts: { clientId } })
}
