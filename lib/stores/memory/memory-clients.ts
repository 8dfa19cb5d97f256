import { type Client, type ClientRegistry, nextRevision } from '../../ports/client.js'
import { Tally } from './split-map.js'
import { halfOf } from './used-identifiers.js'

/**
 * A client registry in the memory of this process, for the clients of the options and those that register.
 *
 * @param maximum the most clients. All clients that one client registers are at most half of them
 */
export function memoryClientRegistry(clients: readonly Client[], maximum = 100_000): ClientRegistry {
  const byId = new Map(clients.map((client) => [client.clientId, client]))
  const ofRegistrars = new Tally()
  const count = (client: Client | undefined, difference: 1 | -1) => {
    if (client?.registeredBy !== undefined) ofRegistrars.add(client.registeredBy.clientId, difference)
  }
  const requirePlace = ({ registeredBy }: Client) => {
    if (byId.size >= maximum) throw new Error('The client registry in memory is full.')
    if (registeredBy !== undefined && ofRegistrars.of(registeredBy.clientId) >= halfOf(maximum))
      throw new Error('One client has registered half of the clients that fit into the registry in memory.')
  }
  for (const client of byId.values()) count(client, 1)
  return {
    async find(clientId) {
      return byId.get(clientId)
    },
    async save(client) {
      const stored = byId.get(client.clientId)
      if (client.revision !== nextRevision(stored)) return false
      if (stored === undefined) requirePlace(client)
      count(stored, -1)
      byId.set(client.clientId, structuredClone(client))
      count(client, 1)
      return true
    },
    async delete(clientId, revision) {
      const stored = byId.get(clientId)
      if (stored === undefined || (revision !== undefined && revision !== stored.revision)) return false
      count(stored, -1)
      return byId.delete(clientId)
    },
  }
}
