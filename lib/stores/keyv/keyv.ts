import { markInTime } from '../../base/deadline.js'
import { type Client, type ClientRegistry, nextRevision } from '../../ports/client.js'
import { keyvCompareAndSet } from './keyv-compare-and-set.js'
import { keyvConnection } from './keyv-connection.js'
import { type KeyvClientRegistryOptions, type KeyvLike, readKeyvOptions } from './keyv-options.js'
import { keyOf, readRecord, recordOf, type StoredClient } from './keyv-record.js'

export type { KeyvClientRegistryOptions, KeyvLike } from './keyv-options.js'

/**
 * A client registry in any database with a Keyv adapter: SQLite, PostgreSQL, Redis, MongoDB and others.
 *
 * **Two changes of one client never overlap.** Keyv can read and write, but cannot compare before it writes. So each
 * stored state of a client has a name, and a process must take a lease on that name from `lock` before it writes. If a
 * process dies, its lease ends by itself. If a process was stopped for a part of its lease, it does not write. One risk
 * remains: a write that the database itself delays for longer than the lease.
 *
 * @example
 * import { Keyv } from 'keyv'
 *
 * const database = new Keyv({ namespace: 'clients', throwOnErrors: true })
 * const clients = keyvClientRegistry(database, { lock: 'process' })
 *
 * @throws ConfigurationError with all faults of the Keyv and of the options
 */
export function keyvClientRegistry(keyv: KeyvLike, options: KeyvClientRegistryOptions): ClientRegistry {
  const read = readKeyvOptions(keyv, options)
  const database = keyvConnection(keyv, read.timeoutSeconds)
  const find = async (clientId: string) => readRecord(clientId, await database.get(keyOf(clientId)))
  const compareAndSet = keyvCompareAndSet({ ...read, find, namespace: keyv.namespace ?? '' })
  return markInTime<ClientRegistry>({
    find: async (clientId: string) => (await find(clientId)).client,
    async save(client: Client) {
      const record = recordOf(client)
      const { clientId, revision } = client
      const isBefore = (stored: StoredClient) => revision === nextRevision(stored.client)
      return compareAndSet(clientId, isBefore, () => database.set(keyOf(clientId), record))
    },
    async delete(clientId: string, revision?: number) {
      const isMeant = ({ client }: StoredClient) =>
        client !== undefined && (revision === undefined || revision === client.revision)
      return compareAndSet(clientId, isMeant, () => database.delete(keyOf(clientId)))
    },
  })
}
