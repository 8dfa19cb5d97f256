import type { Client, ClientRegistry } from '../../ports/client.js'

/** More clients than that can register in a database only. */
const MAXIMUM_CLIENTS = 100_000

/** A registry that lives in this process only, for the clients of the configuration and those that register. */
export function memoryClientRegistry(clients: readonly Client[]): ClientRegistry {
  const byId = new Map(clients.map((client) => [client.clientId, client]))
  return {
    async find(clientId) {
      return byId.get(clientId)
    },
    async save(client) {
      const kept = byId.get(client.clientId)
      if (client.revision !== (kept?.revision ?? 0) + 1) return false
      if (kept === undefined && byId.size >= MAXIMUM_CLIENTS)
        throw new Error('the registry in memory is full')
      byId.set(client.clientId, structuredClone(client))
      return true
    },
    async delete(clientId, revision) {
      if (revision !== undefined && byId.get(clientId)?.revision !== revision) return false
      return byId.delete(clientId)
    },
  }
}
