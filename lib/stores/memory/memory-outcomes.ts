import { type Expiring, enqueue, takeExpired } from './expiry-queue.js'

interface Outcome extends Expiring {
  readonly owner: object
  text: string
}

/** Outcomes of redemptions, each until its time is over; at the cap no more are kept. */
export interface Outcomes {
  keep(owner: object, text: string, until: number): void
  of(owner: object): string | undefined
  drop(owner: object): void
  /** Forgets those whose time is over. */
  sweep(): void
}

/** @param maximum how many characters all of them may have together */
export function outcomesOf(maximum: number, now: () => number): Outcomes {
  const kept = new Map<object, Outcome>()
  const queue: Outcome[] = []
  let characters = 0

  function drop(owner: object): void {
    const outcome = kept.get(owner)
    if (outcome === undefined) return
    characters -= outcome.text.length
    // The queue holds it until its time is over.
    outcome.text = ''
    kept.delete(owner)
  }

  function sweep(): void {
    // One that was dropped, and another kept for the same owner since, is not what the queue tells of.
    for (const one of takeExpired(queue, now() / 1000)) if (kept.get(one.owner) === one) drop(one.owner)
  }

  return {
    keep(owner, text, until) {
      sweep()
      if (characters + text.length > maximum) return
      const outcome = { owner, text, retainUntil: until, due: until }
      characters += text.length
      kept.set(owner, outcome)
      enqueue(queue, outcome)
    },
    of(owner) {
      sweep()
      return kept.get(owner)?.text
    },
    drop,
    sweep,
  }
}
