import { ProvisioningError } from '../base/errors.js'
import { describe, describeSecret, type Faults, faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { Client, ClientRegistry } from '../ports/client.js'
import { memoryClientRegistry } from '../stores/memory/memory-clients.js'
import { type ClientOptions, readClient, readFoundClient } from './client.js'
import { judgePolicy, type OuterPolicy } from './narrowing.js'

/** Looks a client up, wherever your clients live. `undefined`: there is none. */
export type ClientLookup = (
  clientId: string,
) => Promise<ClientOptions | Client | undefined> | ClientOptions | Client | undefined

/** A registry whose clients have been looked at, whoever wrote them down. */
export interface ReadRegistry {
  readonly registry: ClientRegistry
  readonly registryWritable: boolean
}

/** Reads `clients`: a list, a lookup function, or a registry. */
export function readClients(
  value: unknown,
  deployment: OuterPolicy,
  noted: Faults,
): ReadRegistry | undefined {
  if (Array.isArray(value)) return readList(value, deployment, noted)
  if (typeof value === 'function')
    return { registry: lookupRegistry(value as ClientLookup), registryWritable: false }
  if (isObject(value) && ['find', 'save', 'delete'].every((verb) => typeof value[verb] === 'function')) {
    return { registry: checkedRegistry(value as unknown as ClientRegistry), registryWritable: true }
  }
  noted.add(
    'clients',
    'a list of clients, a function that looks one up, or a ClientRegistry',
    describeSecret(value),
  )
  return undefined
}

function readList(list: readonly unknown[], deployment: OuterPolicy, noted: Faults): ReadRegistry {
  const seen = new Set<string>()
  const clients = list.flatMap((entry, index) => {
    const path = `clients[${index}]`
    const client = readClient(path, entry, noted)
    if (client === undefined) return []
    if (seen.has(client.clientId))
      noted.add(`${path}.clientId`, 'an id that no other client has', describe(client.clientId))
    seen.add(client.clientId)
    const policy = client.policy ?? {}
    if (policy.scopes === undefined && deployment.scopes === undefined) {
      noted.add(`${path}.policy.scopes`, 'the scopes the client may have', 'undefined')
    }
    judgePolicy(`${path}.policy`, policy, deployment, noted)
    return [client]
  })
  return { registry: memoryClientRegistry(clients), registryWritable: true }
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
    const client = readFoundClient('client', found ?? decoy, noted)
    if (found === undefined || found === null) return undefined
    if (client !== undefined && client.clientId !== clientId)
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
