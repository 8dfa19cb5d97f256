import { type Expiring, enqueue, IDLE_SWEEP_MILLISECONDS, takeExpired } from './expiry-queue.js'
import type { UseOnceOutcome } from './store.js'

interface Used extends Expiring {
  readonly id: string
}

/** Identifiers that may be used once, each remembered until its time is over. At the cap nothing is evicted. */
export function onceSet(maximum: number, now: () => number): (id: string, until: number) => UseOnceOutcome {
  const used = new Set<string>()
  const queue: Used[] = []
  let timer: NodeJS.Timeout | undefined

  function sweep(): void {
    for (const { id } of takeExpired(queue, now() / 1000)) used.delete(id)
    if (queue.length > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return function useOnce(id, until) {
    sweep()
    requireFuture(until, now() / 1000)
    if (used.has(id)) return 'used'
    if (used.size >= maximum) return 'full'
    used.add(id)
    enqueue(queue, { id, retainUntil: until, due: until })
    timer ??= setInterval(sweep, IDLE_SWEEP_MILLISECONDS).unref()
    return 'first'
  }
}

/** Forgotten at once, it could be used again; never forgotten, it would take its place for good. */
function requireFuture(until: number, seconds: number): void {
  if (!Number.isFinite(until)) throw new RangeError(`until: expected a time in seconds, got ${String(until)}`)
  if (!(until > seconds))
    throw new RangeError(`until: expected a time in the future (now ${seconds}), got ${until}`)
}
