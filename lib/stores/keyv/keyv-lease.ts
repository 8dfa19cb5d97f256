import { createHash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { KeyvOptions } from './keyv-options.js'

/** How long a lease holds, in timeouts: one to get it, one to look again, one to write; and two for what is late. */
export const LEASE_TIMEOUTS = 5

/** The right to change one state of one client, for a while. */
export interface Lease {
  /** @throws Error when so much of its time is over that a write could end after it */
  assertFresh(): void
}

/** Takes a lease; `undefined` when somebody else has it. */
export type TakeLease = (parts: readonly string[]) => Promise<Lease | undefined>

/**
 * Leases from a store that all processes share. They are never given back: what they name, a state of a client, is gone
 * for good once its holder has changed it.
 */
export function leases({
  lock,
  timeoutSeconds,
  now,
}: KeyvOptions & { readonly lock: NonNullable<KeyvOptions['lock']> }): TakeLease {
  return async function takeLease(parts) {
    const id = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
    const begun = performance.now()
    const outcome = await lock.useOnce(id, now() / 1000 + LEASE_TIMEOUTS * timeoutSeconds)
    if (outcome === 'used') return undefined
    if (outcome !== 'first') throw new Error('The store that locks clients is full, or answers nonsense.')
    return {
      assertFresh() {
        // By a clock that nobody sets.
        if (performance.now() - begun > 2 * timeoutSeconds * 1000)
          throw new Error('A client was not changed: too much time had passed since it was locked.')
      },
    }
  }
}
