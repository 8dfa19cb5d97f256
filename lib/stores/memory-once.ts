import { type Expiring, enqueue, takeExpired } from './expiry-queue.js'
import type { UseOnceOutcome } from './store.js'

interface Used extends Expiring {
  readonly id: string
}

/** Identifiers that may be used once, each remembered until its time is over. At the cap nothing is evicted. */
export function onceSet(maximum: number, now: () => number): (id: string, until: number) => UseOnceOutcome {
  const used = new Set<string>()
  const queue: Used[] = []

  return function useOnce(id, until) {
    const seconds = now() / 1000
    for (const { id: old } of takeExpired(queue, seconds)) used.delete(old)
    // Forgotten at once, it could be used again: the caller has looked at a time that is over.
    if (!(until > seconds))
      throw new RangeError(`until: expected a time in the future (now ${seconds}), got ${until}`)
    if (used.has(id)) return 'used'
    if (used.size >= maximum) return 'full'
    used.add(id)
    enqueue(queue, { id, retainUntil: until, due: until })
    return 'first'
  }
}
