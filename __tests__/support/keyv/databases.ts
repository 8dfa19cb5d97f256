import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'
import { KeyvSqliteFile } from '../../../demo-app/sqlite'
import type { ClientRegistry } from '../../../lib/ports/client.js'
import { type KeyvClientRegistryOptions, keyvClientRegistry } from '../../../lib/stores/keyv/keyv.js'
import type { RedisServer } from '../redis/servers'

/** A real database. Each Keyv has its own connection to it. */
export interface ClientDatabase {
  connect(): Promise<Keyv>
  /** Afterwards it does not answer. */
  breakDown(): Promise<void>
  close(): Promise<void>
}

/** A file in a new folder. */
export function sqliteDatabase(): ClientDatabase & { readonly folder: string; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'clients-'))
  const path = join(folder, 'clients.sqlite')
  const open: KeyvSqliteFile[] = []
  const disconnect = async () => void (await Promise.all(open.splice(0).map((one) => one.disconnect())))
  return {
    folder,
    path,
    async connect() {
      const store = new KeyvSqliteFile(path)
      open.push(store)
      return new Keyv({ store, throwOnErrors: true })
    },
    breakDown: disconnect,
    async close() {
      await disconnect()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A namespace in a shared Redis, connected as docs/guides/client-database.md describes. */
export function redisDatabase({ url, signal }: RedisServer, namespace: string): ClientDatabase {
  const open: KeyvRedis<unknown>[] = []
  return {
    async connect() {
      const store = new KeyvRedis({ url, disableOfflineQueue: true })
      store.on('error', () => undefined)
      open.push(store)
      await store.getClient()
      return new Keyv({ store, namespace, throwOnErrors: true })
    },
    breakDown: async () => signal('SIGKILL'),
    close: async () => void (await Promise.all(open.splice(0).map((one) => one.disconnect(true)))),
  }
}

/** Registries over one database, each with its own connection, as in several processes. */
export function registriesOver(database: ClientDatabase, options: KeyvClientRegistryOptions) {
  const another = async (): Promise<ClientRegistry> => keyvClientRegistry(await database.connect(), options)
  return async () => ({
    registry: await another(),
    another,
    breakDown: () => database.breakDown(),
    close: () => database.close(),
  })
}
