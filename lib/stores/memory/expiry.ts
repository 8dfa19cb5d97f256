/** A time at which entries of one table end. Entries with the same end share it. */
export class Moment<E> {
  /** A NumericDate. Entries are still found at this very time. */
  readonly time: number
  /** Set by the first sweep after `time`. It stays set, even if the clock goes back. */
  isOver = false
  /** The first entry of a list, which `next` continues. */
  first: E | undefined = undefined

  constructor(time: number) {
    this.time = time
  }
}

/** An entry that is forgotten in time. */
export interface Expiring<E> {
  /** May be replaced by a later moment. */
  end: Moment<E>
  /** The next entry in the list of a moment. A list takes 8 bytes an entry, and no growth of an array copies it. */
  next: E | undefined
}

interface Table<E> {
  /** Called when the time of some entries has passed, before they are forgotten. */
  over?(time: number): void
  /** Removes an expired entry. It may have been removed already. */
  forget(entry: E): void
  /** Called when the first end of an entry has passed, and its second one has not. */
  keep?(entry: E): void
}

/**
 * The entries of a table, in the order in which they end: a binary heap of moments. There are few, because times are
 * usually whole seconds. So it takes a short time to mark all entries that have expired, however many there are.
 */
export class ExpiryQueue<E extends Expiring<E>> {
  readonly #table: Table<E>
  readonly #moments = new Map<number, Moment<E>>()
  readonly #heap: Moment<E>[] = []
  /** Moments that are over, and whose entries are not all forgotten yet. */
  readonly #over: Moment<E>[] = []

  constructor(table: Table<E>) {
    this.#table = table
  }

  get isEmpty(): boolean {
    return this.#heap.length === 0 && !this.isBehind
  }

  /** Whether expired entries still take room. */
  get isBehind(): boolean {
    return this.#over.length > 0
  }

  /** The moment for a time in the future. */
  momentAt(time: number): Moment<E> {
    const known = this.#moments.get(time)
    if (known !== undefined) return known
    const moment = new Moment<E>(time)
    this.#moments.set(time, moment)
    this.#insert(moment)
    return moment
  }

  add(entry: E): void {
    entry.next = entry.end.first
    entry.end.first = entry
  }

  close(seconds: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.time < seconds; first = this.#heap[0]) {
      const last = this.#heap.pop()
      if (last !== undefined && last !== first) this.#sinkFromTop(last)
      this.#moments.delete(first.time)
      first.isOver = true
      this.#table.over?.(first.time)
      this.#over.push(first)
    }
  }

  /** Forgets at most `most` expired entries, and returns how many it has visited. */
  forgetExpired(most: number): number {
    let visited = 0
    for (let moment = this.#over.at(-1); moment !== undefined; moment = this.#over.at(-1)) {
      for (let entry = moment.first; entry !== undefined; entry = moment.first) {
        if (visited === most) return visited
        visited += 1
        moment.first = entry.next
        this.#forgetOrKeep(entry)
      }
      this.#over.pop()
    }
    return visited
  }

  #forgetOrKeep(entry: E): void {
    if (entry.end.isOver) {
      this.#table.forget(entry)
    } else {
      this.add(entry)
      this.#table.keep?.(entry)
    }
  }

  #insert(moment: Moment<E>): void {
    const heap = this.#heap
    let place = heap.length
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.time <= moment.time) break
      heap[place] = parent
      place = above
    }
    heap[place] = moment
  }

  #sinkFromTop(moment: Moment<E>): void {
    const heap = this.#heap
    let place = 0
    for (;;) {
      const left = 2 * place + 1
      const right = heap[left + 1]
      const below = right !== undefined && right.time < (heap[left]?.time ?? 0) ? left + 1 : left
      const child = heap[below]
      if (child === undefined || child.time >= moment.time) break
      heap[place] = child
      place = below
    }
    heap[place] = moment
  }
}
