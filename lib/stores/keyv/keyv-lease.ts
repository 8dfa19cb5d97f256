import { createHash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { deadline } from '../../base/deadline.js'
import type { KeyvOptions } from './keyv-options.js'

/**
 * How long a lease lasts, in timeouts: one to get the lease, one to read the client again, one to write it, and two in
 * reserve for late answers.
 */
export const LEASE_TIMEOUTS = 5

/** How long after its request a lease is fresh enough to write, in timeouts. */
const FRESH_TIMEOUTS = 2

/** The right of one process to change one state of one client, for a limited time. */
export interface Lease {
  /** @throws Error when so much time has passed that a write could end after the lease */
  assertFresh(): void
}

/** Takes a lease on a name; `undefined` when another process has it. */
export type TakeLease = (name: readonly string[]) => Promise<Lease | undefined>

/**
 * Leases from a store that all processes share. They are not given back, because each is for one state of a client, and
 * that state never comes back after a change. Only `missing` does: a client that is made, deleted and made again within
 * the time of a lease waits for its end.
 */
export function leases({
  lock,
  timeoutSeconds,
  now,
}: KeyvOptions & { readonly lock: NonNullable<KeyvOptions['lock']> }): TakeLease {
  // A lease that comes later is too old to write.
  const inTime = deadline({
    milliseconds: FRESH_TIMEOUTS * timeoutSeconds * 1000,
    who: 'The store that locks clients',
  })
  return async function takeLease(name) {
    // Hashed, so that the shared store does not learn which clients there are.
    const id = createHash('sha256').update(JSON.stringify(name)).digest('base64url')
    // `performance` is a clock that nobody can set.
    const begun = performance.now()
    const outcome = await inTime(() => lock.useOnce(id, now() / 1000 + LEASE_TIMEOUTS * timeoutSeconds))
    if (outcome === 'used') return undefined
    if (outcome !== 'first')
      throw new Error('The store that locks clients is full, or its answer is invalid.')
    return {
      assertFresh() {
        if (performance.now() - begun > FRESH_TIMEOUTS * timeoutSeconds * 1000)
          throw new Error('A client was not changed: too much time had passed since it was locked.')
      },
    }
  }
}
