/** An entry that is forgotten in time. Times are NumericDates. */
export interface Expiring {
  retainUntil: number
  /** When the queue looks at the entry next: never later than `retainUntil`. */
  due: number
  /** Removes the expired entry from its table. */
  forget(): void
  /** Called when the first time of the entry has passed and the entry stays. */
  defer?(): void
}

/**
 * How often expired entries are removed while nobody calls the store. The period is fixed, since the clock can jump: a
 * timer set for the next end would then wait.
 */
const IDLE_SWEEP_MILLISECONDS = 10_000

/**
 * The entries of all tables of a store, in the order in which they expire: a binary heap. Each verb calls `sweep` once,
 * before it reads. If no entry has expired, that looks at one entry only. To add or remove an entry takes O(log n),
 * even if the clock jumps. An entry that is kept for longer moves in the heap when its earlier time comes.
 */
export class ExpiryQueue {
  readonly #heap: Expiring[] = []
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined

  /** @param now the clock, in milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The clock, as a NumericDate. */
  nowSeconds(): number {
    return this.#now() / 1000
  }

  add(entry: Expiring): void {
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
    this.#timer ??= setInterval(() => this.sweep(), IDLE_SWEEP_MILLISECONDS).unref()
  }

  /** Forgets the expired entries. */
  sweep(): void {
    const heap = this.#heap
    const seconds = this.nowSeconds()
    for (let first = heap[0]; first !== undefined && first.due < seconds; first = heap[0]) {
      if (first.retainUntil < seconds) {
        const last = heap.pop()
        if (last !== undefined && last !== first) this.#sinkFromTop(last)
        first.forget()
      } else {
        first.due = first.retainUntil
        this.#sinkFromTop(first)
        first.defer?.()
      }
    }
    if (heap.length > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #sinkFromTop(entry: Expiring): void {
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
