import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type { Client, ClientRegistry } from '../../ports/client.js'
import { keyedMutex, type Mutex } from './keyed-mutex.js'
import { type Change, keyvConnection } from './keyv-connection.js'
import { LEASE_TIMEOUTS, type Lease, leases } from './keyv-lease.js'
import {
  type KeyvClientRegistryOptions,
  type KeyvLike,
  type KeyvOptions,
  readKeyvOptions,
} from './keyv-options.js'
import { keyOf, readRecord, recordOf, type StoredClient } from './keyv-record.js'

export type { KeyvClientRegistryOptions, KeyvLike } from './keyv-options.js'

/**
 * A registry of clients in whatever database a Keyv has: SQLite, PostgreSQL, Redis, MongoDB and others.
 *
 * **How two changes of one client are kept apart.** A database behind a Keyv can read and write, and not compare
 * before it writes. Within a process the changes of one client wait for each other. Between processes, each state of a
 * client has a name of its own, and whoever is to change it first takes a lease on that name from `lock`, where one of
 * them is the first; then it looks whether that still is the state, and writes. The lease ends by itself, so that a
 * process that died with it locks nobody out for long, and a process that was stopped for longer than a part of it does
 * not write. What remains is a write that is under way in the database for longer than the lease.
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
  const change = changer(find, read, keyv.namespace ?? '')
  return Object.freeze({
    find: async (clientId: string) => (await find(clientId)).client,
    async save(client: Client) {
      const record = recordOf(client)
      const { clientId, revision } = client
      const isNext = ({ client: kept }: StoredClient) => revision === (kept?.revision ?? 0) + 1
      return change(clientId, isNext, () => database.set(keyOf(clientId), record))
    },
    async delete(clientId: string, revision?: number) {
      const isMeant = ({ client: kept }: StoredClient) =>
        kept !== undefined && (revision === undefined || revision === kept.revision)
      return change(clientId, isMeant, () => database.delete(keyOf(clientId)))
    },
  })
}

/** Changes a client if what is kept of it is as it should be, and answers whether it did. */
type ChangeIf = (
  clientId: string,
  isRight: (kept: StoredClient) => boolean,
  write: () => Change<boolean>,
) => Promise<boolean>

type Find = (clientId: string) => Promise<StoredClient>

function changer(find: Find, options: KeyvOptions, namespace: string): ChangeIf {
  const { lock, timeoutSeconds } = options
  const patienceSeconds = (LEASE_TIMEOUTS + 1) * timeoutSeconds
  const inLane: Mutex = keyedMutex(patienceSeconds)
  const takeLease = lock === undefined ? undefined : leases({ ...options, lock })
  return (clientId, isRight, write) =>
    inLane(clientId, async (hold) => {
      const lock = await locked(clientId, isRight)
      if (lock === undefined) return false
      lock.assertFresh()
      const { answer, ended } = write()
      hold(ended)
      return answer
    })

  /** Answers when nobody else may change the client; `undefined` when it is not as it should be. */
  async function locked(
    clientId: string,
    isRight: (kept: StoredClient) => boolean,
  ): Promise<Lease | undefined> {
    const begun = performance.now()
    for (let wait = 5; ; wait = Math.min(2 * wait, 250)) {
      const kept = await find(clientId)
      if (!isRight(kept)) return undefined
      if (takeLease === undefined) return UNCONTESTED
      const lease = await takeLease([LEASE_NAME, namespace, clientId, kept.state])
      // Looked at again: it may have been changed before there was a lease.
      if (lease !== undefined && (await find(clientId)).state === kept.state) return lease
      // Somebody else is at it; he ends by a change, or his lease does by itself.
      if (performance.now() - begun > patienceSeconds * 1000)
        throw new Error(`A client was locked by others for ${patienceSeconds} s.`)
      await pause(wait * (0.5 + Math.random()))
    }
  }
}

const LEASE_NAME = 'change of a client'

/** Where one process alone writes, its lanes are enough. */
const UNCONTESTED: Lease = { assertFresh: () => undefined }
