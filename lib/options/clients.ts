import { ProvisioningError } from '../base/errors.js'
import { describeSecret, type Faults, faults } from '../base/faults.js'
import { hasMethods, isObject } from '../base/object.js'
import { noteRepeated, type Reader } from '../base/schema.js'
import type { Client, ClientRegistry } from '../ports/client.js'
import type { PolicyOptions } from '../ports/policy-options.js'
import { memoryClientRegistry } from '../stores/memory/memory-clients.js'
import { type ClientOptions, readClient, readFoundClient } from './client.js'

/**
 * Finds a client in your own database. `undefined` means that there is no such client. If it rejects, the request gets
 * 503.
 *
 * @example
 * const runners = new Map<string, ClientOptions>()
 * const findRunner: ClientLookup = (clientId) => runners.get(clientId)
 */
export type ClientLookup = (
  clientId: string,
) => Promise<ClientOptions | Client | undefined> | ClientOptions | Client | undefined

export interface ReadClients {
  /** A registry that checks every client it finds. */
  readonly registry: ClientRegistry
  readonly registryWritable: boolean
  /** The policies of a list of clients, by their paths. */
  readonly policies: readonly (readonly [path: string, policy: PolicyOptions | undefined])[]
}

/** Reads `clients`: a list, a lookup function, or a registry. */
export const readClients: Reader<ReadClients> = (value, path, noted) => {
  if (Array.isArray(value)) return readList(value, path, noted)
  if (typeof value === 'function')
    return { registry: lookupRegistry(value as ClientLookup), registryWritable: false, policies: [] }
  if (hasMethods(value, ['find', 'save', 'delete'])) {
    const registry = checkedRegistry(value as unknown as ClientRegistry)
    return { registry, registryWritable: true, policies: [] }
  }
  const expected = 'a list of clients, a function that looks one up, or a ClientRegistry'
  noted.reject(path, expected, value, describeSecret)
  return undefined as never
}

function readList(list: readonly unknown[], path: string, noted: Faults): ReadClients {
  const clients = Array.from(list, (entry, index) => readClient(entry, `${path}[${index}]`, noted))
  const ids = clients.map((client) => client?.clientId)
  noteRepeated(ids, (index) => `${path}[${index}].clientId`, 'an id that no other client has', noted)
  const policies = clients.map((client, index) => [`${path}[${index}].policy`, client?.policy] as const)
  const registry = memoryClientRegistry(clients.filter((client) => client !== undefined))
  return { registry, registryWritable: true, policies }
}

/**
 * Read in place of a missing client, so that time does not tell which clients exist. It has the size of a usual client,
 * and nobody can choose another.
 */
const NOBODY: ClientOptions = Object.freeze({
  clientId: 'nobody',
  jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43) }] },
})
const NOBODY_WITH_SECRET: ClientOptions = Object.freeze({ ...NOBODY, clientSecret: 'x'.repeat(43) })

type ReadFound = (clientId: string, found: unknown) => Client | undefined

/**
 * Makes the check of what a lookup function or a registry answers: like the configuration, except that no key is
 * imported. If the clients have plain secrets, which are hashed at each look-up, a secret is hashed for a missing client too.
 */
function foundReader(): ReadFound {
  let decoy = NOBODY
  return (clientId, found) => {
    const noted = faults()
    const client = readFoundClient(found ?? decoy, 'client', noted)
    if (found === undefined || found === null) return undefined
    if (client?.clientId !== undefined && client.clientId !== clientId)
      noted.add('client.clientId', 'the id that was asked for', 'another')
    if (noted.list.length > 0)
      throw new ProvisioningError(
        'server_fault',
        `A client was found that is not valid: ${noted.list.join('; ')}`,
      )
    decoy = isObject(found) && found.clientSecret !== undefined ? NOBODY_WITH_SECRET : NOBODY
    return client
  }
}

/** A registry whose answers are checked: nothing but `true` says that a client was saved or deleted. */
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
  throw new TypeError(`The client registry's ${verb}() must answer true or false.`)
}

function lookupRegistry(lookup: ClientLookup): ClientRegistry {
  const readFound = foundReader()
  const readOnly = () => Promise.reject(new Error('clients is a lookup function: clients cannot be saved'))
  return {
    find: async (clientId) => readFound(clientId, await lookup(clientId)),
    save: readOnly,
    delete: readOnly,
  }
}
