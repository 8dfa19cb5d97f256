import type { Client, ClientRegistry } from '../../ports/client.js'
import { Tally } from './tally.js'
import { halfOf } from './used-identifiers.js'

/**
 * A registry that lives in this process only, for the clients of the configuration and those that register.
 *
 * @param maximum how many clients it has at most. One client can register no more than half of them
 */
export function memoryClientRegistry(clients: readonly Client[], maximum = 100_000): ClientRegistry {
  const byId = new Map(clients.map((client) => [client.clientId, client]))
  const ofRegistrars = new Tally()
  const count = (client: Client | undefined, difference: 1 | -1) => {
    if (client?.registeredBy !== undefined) ofRegistrars.add(client.registeredBy.clientId, difference)
  }
  const requirePlace = ({ registeredBy }: Client) => {
    if (byId.size >= maximum) throw new Error('the registry in memory is full')
    if (registeredBy !== undefined && ofRegistrars.of(registeredBy.clientId) >= halfOf(maximum))
      throw new Error('one client has registered half of the clients that the registry in memory can hold')
  }
  for (const client of byId.values()) count(client, 1)
  return {
    async find(clientId) {
      return byId.get(clientId)
    },
    async save(client) {
      const kept = byId.get(client.clientId)
      if (client.revision !== (kept?.revision ?? 0) + 1) return false
      if (kept === undefined) requirePlace(client)
      count(kept, -1)
      byId.set(client.clientId, structuredClone(client))
      count(client, 1)
      return true
    },
    async delete(clientId, revision) {
      const kept = byId.get(clientId)
      if (kept === undefined || (revision !== undefined && kept.revision !== revision)) return false
      count(kept, -1)
      return byId.delete(clientId)
    },
  }
}
