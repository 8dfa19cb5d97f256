import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { deadline } from '../../base/deadline.js'
import type { Change } from './keyv-connection.js'
import { LEASE_TIMEOUTS, type Lease, leases } from './keyv-lease.js'
import type { KeyvOptions } from './keyv-options.js'
import type { StoredClient } from './keyv-record.js'

type IsExpected = (stored: StoredClient) => boolean

/** The database in which clients are compared and written. */
interface Compared extends KeyvOptions {
  readonly find: (clientId: string) => Promise<StoredClient>
  readonly namespace: string
}

/**
 * Makes the function that writes a client if the stored one is as expected. It answers whether it did.
 *
 * A database behind a Keyv cannot compare before it writes. So this function waits until nobody else may change the
 * client, compares, and writes. Within a process, changes of one client wait for each other. Between processes, each
 * first takes a lease on the name of the stored state, and reads the client again.
 *
 * It writes at most once, and repeats no change. `changeClient()` in lib/clients/registry.ts does that, for any
 * registry.
 */
export function keyvCompareAndSet({ find, namespace, ...options }: Compared) {
  const { lock, timeoutSeconds } = options
  const waitSeconds = (LEASE_TIMEOUTS + 1) * timeoutSeconds
  const inTurn = keyedMutex(waitSeconds)
  const takeLease = lock === undefined ? undefined : leases({ ...options, lock })

  return function compareAndSet(
    clientId: string,
    isExpected: IsExpected,
    write: () => Change<boolean>,
  ): Promise<boolean> {
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

/** The next work for the same name begins only after this promise, too, has ended. */
type WaitFor = (ended: Promise<unknown>) => void

/**
 * Makes the function that runs work for one name at a time, in the order of the calls.
 *
 * @param waitSeconds how long work waits for its turn. After that the call rejects, and the work does not run
 */
function keyedMutex(waitSeconds: number) {
  const tails = new Map<string, Promise<unknown>>()
  const inTime = deadline({ milliseconds: waitSeconds * 1000, who: 'Another change of the client' })

  return async function inTurn<T>(name: string, work: (waitFor: WaitFor) => Promise<T>): Promise<T> {
    const previous = tails.get(name)
    const awaited: Promise<unknown>[] = []
    let endTurn: () => void = () => undefined
    const turn = new Promise<void>((resolve) => {
      endTurn = resolve
    })
    // Work that has waited for too long ends its own turn, but the work before it may still run.
    const tail = Promise.all([previous, turn])
    tails.set(name, tail)
    tail.then(() => tails.get(name) === tail && tails.delete(name))
    try {
      if (previous !== undefined) await inTime(() => previous)
      return await work((ended) => awaited.push(ended))
    } finally {
      Promise.all(awaited).then(endTurn)
    }
  }
}
