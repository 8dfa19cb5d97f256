import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { keyedMutex } from './keyed-mutex.js'
import type { Change } from './keyv-connection.js'
import { LEASE_TIMEOUTS, type Lease, leases } from './keyv-lease.js'
import type { KeyvOptions } from './keyv-options.js'
import type { StoredClient } from './keyv-record.js'

/** Writes a client if the stored one is as expected. Answers whether it did. */
export type CompareAndSet = (
  clientId: string,
  isExpected: IsExpected,
  write: () => Change<boolean>,
) => Promise<boolean>

type IsExpected = (stored: StoredClient) => boolean

/** The database in which clients are compared and written. */
export interface Compared extends KeyvOptions {
  readonly find: (clientId: string) => Promise<StoredClient>
  readonly namespace: string
}

/**
 * A database behind a Keyv cannot compare before it writes. So this function waits until nobody else may change the
 * client, compares, and writes. Within a process, changes of one client wait for each other. Between processes, each
 * first takes a lease on the name of the stored state, and reads the client again.
 *
 * It writes at most once, and repeats no change. `changeClient()` in lib/clients/registry.ts does that, for any
 * registry.
 */
export function keyvCompareAndSet({ find, namespace, ...options }: Compared): CompareAndSet {
  const { lock, timeoutSeconds } = options
  const waitSeconds = (LEASE_TIMEOUTS + 1) * timeoutSeconds
  const inTurn = keyedMutex(waitSeconds)
  const takeLease = lock === undefined ? undefined : leases({ ...options, lock })

  return function compareAndSet(clientId, isExpected, write) {
    return inTurn(clientId, async (waitFor) => {
      const lease = await leaseFor(clientId, isExpected)
      if (lease === undefined) return false
      lease.assertFresh()
      const { answer, ended } = write()
      waitFor(ended)
      return answer
    })
  }

  /** Waits for the lease on a client; `undefined` when the stored client is not as expected. */
  async function leaseFor(clientId: string, isExpected: IsExpected): Promise<Lease | undefined> {
    const begun = performance.now()
    for (let wait = 5; ; wait = Math.min(2 * wait, 250)) {
      const stored = await find(clientId)
      if (!isExpected(stored)) return undefined
      if (takeLease === undefined) return LEASE_OF_THE_ONLY_PROCESS
      const lease = await takeLease(['change of a client', namespace, clientId, stored.state])
      // Read again: another process may have changed the client just before this one got the lease.
      if (lease !== undefined && (await find(clientId)).state === stored.state) return lease
      // The other process changes the client, or its lease ends.
      if (performance.now() - begun > waitSeconds * 1000)
        throw new Error(`Other processes had a client locked for ${waitSeconds} s.`)
      await pause(wait * (0.5 + Math.random()))
    }
  }
}

const LEASE_OF_THE_ONLY_PROCESS: Lease = { assertFresh: () => undefined }
