/** Something that is forgotten in time. */
export interface Expiring {
  retainUntil: number
  /** When the expiry queue looks at it next: never later than `retainUntil`. */
  due: number
}

/**
 * How often a store looks for what has expired while nobody calls it. At a fixed beat and not at the next expiry: a
 * clock that jumps would leave such a timer waiting.
 */
export const IDLE_SWEEP_MILLISECONDS = 10_000

/*
 * The expiry queue is a binary heap, soonest first. Every verb forgets what has expired, so that must cost one
 * look when nothing has, not a scan; a key goes in once and out once, O(log n) each, and which way the clock
 * moves does not matter. A key retained longer moves when its old place comes due: once, as it settles once.
 */
export function enqueue<T extends Expiring>(queue: T[], kept: T): void {
  let place = queue.length
  while (place > 0) {
    const above = (place - 1) >> 1
    const parent = queue[above]
    if (parent === undefined || parent.due <= kept.due) break
    queue[place] = parent
    place = above
  }
  queue[place] = kept
}

export function* takeExpired<T extends Expiring>(queue: T[], seconds: number): Generator<T> {
  for (let first = queue[0]; first !== undefined && first.due < seconds; first = queue[0]) {
    if (first.retainUntil < seconds) {
      const last = queue.pop()
      if (last !== undefined && last !== first) sinkFromTop(queue, last)
      yield first
    } else {
      first.due = first.retainUntil
      sinkFromTop(queue, first)
    }
  }
}

function sinkFromTop<T extends Expiring>(queue: T[], kept: T): void {
  const dueAt = (place: number) => queue[place]?.due ?? Number.POSITIVE_INFINITY
  let place = 0
  for (;;) {
    const left = 2 * place + 1
    const below = dueAt(left + 1) < dueAt(left) ? left + 1 : left
    const child = queue[below]
    if (child === undefined || child.due >= kept.due) break
    queue[place] = child
    place = below
  }
  queue[place] = kept
}
