/** An entry that is forgotten in time. Times are NumericDates. */
export interface Expiring {
  retainUntil: number
  /** When the queue looks at the entry next: never later than `retainUntil`. */
  due: number
}

/**
 * Entries in the order of their ends: a binary heap. Every verb forgets expired entries, so this costs one look when
 * nothing has expired. An entry goes in and out in O(log n), even if the clock jumps. An entry whose `retainUntil` has
 * moved is put back when its old time comes.
 */
export class ExpiryQueue<T extends Expiring> {
  readonly #heap: T[] = []

  get size(): number {
    return this.#heap.length
  }

  add(entry: T): void {
    const heap = this.#heap
    let place = heap.length
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.due <= entry.due) break
      heap[place] = parent
      place = above
    }
    heap[place] = entry
  }

  /**
   * Removes expired entries.
   *
   * @param forget is called with each of them
   * @param defer is called with each entry that has passed its first time and stays
   */
  sweep(seconds: number, forget: (entry: T) => void, defer?: (entry: T) => void): void {
    const heap = this.#heap
    for (let first = heap[0]; first !== undefined && first.due < seconds; first = heap[0]) {
      if (first.retainUntil < seconds) {
        const last = heap.pop()
        if (last !== undefined && last !== first) this.#sinkFromTop(last)
        forget(first)
      } else {
        first.due = first.retainUntil
        this.#sinkFromTop(first)
        defer?.(first)
      }
    }
  }

  #sinkFromTop(entry: T): void {
    const heap = this.#heap
    const dueAt = (place: number) => heap[place]?.due ?? Number.POSITIVE_INFINITY
    let place = 0
    for (;;) {
      const left = 2 * place + 1
      const below = dueAt(left + 1) < dueAt(left) ? left + 1 : left
      const child = heap[below]
      if (child === undefined || child.due >= entry.due) break
      heap[place] = child
      place = below
    }
    heap[place] = entry
  }
}

/** A table whose entries expire. */
export interface ExpiringTable {
  readonly size: number
  sweep(seconds: number): void
}

/**
 * How often a table is swept while nobody calls it. The period is fixed, since the clock can jump: a timer set for the
 * next end would then wait.
 */
const IDLE_SWEEP_MILLISECONDS = 10_000

/**
 * Makes the function that each verb calls once, first: it forgets expired entries. A timer sweeps idle tables.
 *
 * @returns `sweep`; and `watch`, to be called after an entry was added
 */
export function sweeper(
  now: () => number,
  tables: readonly ExpiringTable[],
): { sweep: () => void; watch: () => void } {
  let timer: NodeJS.Timeout | undefined

  function sweep(): void {
    const seconds = now() / 1000
    let isEmpty = true
    for (const table of tables) {
      table.sweep(seconds)
      if (table.size > 0) isEmpty = false
    }
    if (!isEmpty) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    sweep,
    watch() {
      timer ??= setInterval(sweep, IDLE_SWEEP_MILLISECONDS).unref()
    },
  }
}

/** @throws RangeError for an end that is past (the entry could be used again) or never comes (it would stay for good) */
export function requireFuture(name: string, until: number, now: () => number): void {
  requireTime(name, until)
  const seconds = now() / 1000
  if (!(until > seconds))
    throw new RangeError(`${name}: expected a time in the future (now ${seconds}), got ${until}`)
}

/** @throws RangeError */
export function requireTime(name: string, time: number): void {
  if (!Number.isFinite(time)) throw new RangeError(`${name}: expected a time in seconds, got ${String(time)}`)
}
