/** An entry that is forgotten in time. Times are NumericDates. */
export interface Expiring {
  retainUntil: number
  /** When the queue looks at the entry next: never later than `retainUntil`. */
  due: number
}

/**
 * Entries in the order in which they expire: a binary heap. Each verb first removes expired entries. If there are none,
 * it looks at one entry only. To add or remove an entry takes O(log n), even if the clock jumps. An entry that is kept
 * for longer moves in the heap when its earlier time comes.
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

/** Removes expired entries from tables. */
export interface Sweeper {
  /** Each verb calls it once, before it reads. */
  sweep(): void
  /** Starts the timer that sweeps idle tables. Call it after an entry was added. */
  watch(): void
  /** The clock, as a NumericDate. */
  nowSeconds(): number
}

export function sweeper(now: () => number, tables: readonly ExpiringTable[]): Sweeper {
  const nowSeconds = () => now() / 1000
  let timer: NodeJS.Timeout | undefined

  function sweep(): void {
    const seconds = nowSeconds()
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
    nowSeconds,
  }
}
