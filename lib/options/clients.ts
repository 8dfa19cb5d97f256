import { deadline } from '../base/deadline.js'
import { ProvisioningError } from '../base/errors.js'
import { describeSecret, type Faults, newFaults } from '../base/faults.js'
import { hasMethods, isObject } from '../base/object.js'
import { noteRepeated, type Reader } from '../base/schema.js'
import type { Client, ClientRegistry } from '../ports/client.js'
import { memoryClientRegistry } from '../stores/memory/memory-clients.js'
import { type ClientOptions, readClient, readFoundClient } from './client.js'
import { registryInTime } from './in-time.js'

/**
 * Finds a client in your own database. `undefined` means that there is no such client. If it rejects, or does not answer
 * within 10 seconds, the request gets 503.
 *
 * @example
 * const runners = new Map<string, ClientOptions>()
 * const findRunner: ClientLookup = (clientId) => runners.get(clientId)
 */
export type ClientLookup = (
  clientId: string,
) => Promise<ClientOptions | Client | undefined> | ClientOptions | Client | undefined

/** The option `clients`, after it is read. */
export interface ReadClients {
  /** It finds only valid clients: `find` rejects if your own function or registry returns an invalid one. */
  readonly registry: ClientRegistry
  readonly registryWritable: boolean
  /** The clients of a list, with their paths for messages. Empty if `clients` is not a list. */
  readonly listed: readonly { readonly path: string; readonly client: Client }[]
}

/** Reads `clients`: a list, a lookup function, or a registry. */
export const readClients: Reader<ReadClients> = (value, path, faults) => {
  if (Array.isArray(value)) return readList(value, path, faults)
  if (typeof value === 'function')
    return { registry: lookupRegistry(value as ClientLookup), registryWritable: false, listed: [] }
  if (hasMethods(value, ['find', 'save', 'delete'])) {
    const registry = checkedRegistry(registryInTime(value as unknown as ClientRegistry))
    return { registry, registryWritable: true, listed: [] }
  }
  const expected = 'a list of clients, a function that looks one up, or a ClientRegistry'
  faults.reject(path, expected, value, describeSecret)
  return undefined as never
}

function readList(list: readonly unknown[], path: string, faults: Faults): ReadClients {
  // Array.from() visits holes, map() would skip them.
  const listed = Array.from(list, (entry, index) => {
    const client = readClient(entry, `${path}[${index}]`, faults)
    return client === undefined ? [] : [{ path: `${path}[${index}]`, client }]
  }).flat()
  const ids = listed.map(({ client }) => client.clientId)
  const pathOf = (index: number) => `${listed[index]?.path}.clientId`
  noteRepeated(ids, pathOf, 'an id that no other client has', faults)
  const registry = memoryClientRegistry(listed.map(({ client }) => client))
  return { registry, registryWritable: true, listed }
}

/**
 * Read in place of a missing client, so that the time does not reveal which clients exist. It is as large as a usual
 * client, and no request can change it.
 */
const NOBODY: ClientOptions = Object.freeze({
  clientId: 'nobody',
  jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43) }] },
})
const NOBODY_WITH_SECRET: ClientOptions = Object.freeze({ ...NOBODY, clientSecret: 'x'.repeat(43) })

type ReadFound = (clientId: string, found: unknown) => Client | undefined

/**
 * Makes the check of found clients. It is the check of the options, but imports no keys. A plain secret is hashed at each
 * look-up. So if clients have plain secrets, a missing client gets one too.
 */
function foundReader(): ReadFound {
  let decoy = NOBODY
  return (clientId, found) => {
    const faults = newFaults()
    const client = readFoundClient(found ?? decoy, 'client', faults)
    if (found === undefined || found === null) return undefined
    if (client?.clientId !== undefined && client.clientId !== clientId)
      faults.add('client.clientId', 'the requested id', 'another')
    if (faults.list.length > 0)
      throw new ProvisioningError(
        'server_fault',
        `The registry or lookup function returned an invalid client: ${faults.list.join('; ')}.`,
      )
    decoy = isObject(found) && found.clientSecret !== undefined ? NOBODY_WITH_SECRET : NOBODY
    return client
  }
}

/** A registry with checked answers: only `true` means that a client was saved or deleted. */
function checkedRegistry(registry: ClientRegistry): ClientRegistry {
  const readFound = foundReader()
  return {
    find: async (clientId) => readFound(clientId, await registry.find(clientId)),
    save: async (client) => requireBoolean('save', await registry.save(client)),
    delete: async (clientId, revision) => requireBoolean('delete', await registry.delete(clientId, revision)),
  }
}

function requireBoolean(verb: 'save' | 'delete', answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new TypeError(`${verb}() of the client registry must return true or false.`)
}

function lookupRegistry(lookup: ClientLookup): ClientRegistry {
  const readFound = foundReader()
  const inTime = deadline({ who: 'The lookup function' })
  const readOnly = () =>
    Promise.reject(new Error('the option clients is a lookup function, so clients cannot be saved'))
  return {
    find: async (clientId) => readFound(clientId, await inTime(() => lookup(clientId))),
    save: readOnly,
    delete: readOnly,
  }
}
