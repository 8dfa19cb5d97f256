/** How long a scan runs before the process does other work. To visit 100,000 keys takes about ten times as long. */
const SLICE_MILLISECONDS = 1

/** How many entries are visited between two looks at the time. */
const ENTRIES_BETWEEN_LOOKS = 64

/** Visits all entries, in slices. Between two slices the process does other work, and the entries may change. */
export async function visitAll<T>(entries: Iterable<T>, visit: (entry: T) => void): Promise<void> {
  let end = performance.now() + SLICE_MILLISECONDS
  let visited = 0
  for (const entry of entries) {
    visit(entry)
    visited += 1
    if (visited % ENTRIES_BETWEEN_LOOKS !== 0 || performance.now() < end) continue
    await new Promise((resolve) => setImmediate(resolve))
    end = performance.now() + SLICE_MILLISECONDS
  }
}

/** Keeps the first ones of very many entries, in order. */
export class FirstOf<T> {
  readonly #most: number
  readonly #compare: (one: T, other: T) => number
  #kept: T[] = []
  /** The last one that could still be among the first. */
  #last: T | undefined

  constructor(most: number, compare: (one: T, other: T) => number) {
    this.#most = most
    this.#compare = compare
  }

  add(entry: T): void {
    if (this.#last !== undefined && this.#compare(entry, this.#last) >= 0) return
    this.#kept.push(entry)
    if (this.#kept.length >= 2 * this.#most) this.#cut()
  }

  inOrder(): readonly T[] {
    this.#cut()
    return this.#kept
  }

  #cut(): void {
    this.#kept = this.#kept.sort(this.#compare).slice(0, this.#most)
    this.#last = this.#kept[this.#most - 1]
  }
}
