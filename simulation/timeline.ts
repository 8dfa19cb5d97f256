type Act = () => unknown

interface Planned {
  readonly at: number
  readonly order: number
  readonly act: Act
}

/** The simulated time. Everything that happens is planned for a moment, and happens in the order of these moments. */
export class Timeline {
  /** Milliseconds since 1970. */
  now: number
  readonly #heap: Planned[] = []
  #planned = 0

  constructor(start: number) {
    this.now = start
  }

  /** Plans something for a moment. If the moment is over, it happens next. */
  at(moment: number, act: Act): void {
    const planned = { at: Math.max(moment, this.now), order: this.#planned, act }
    this.#planned += 1
    this.#heap.push(planned)
    this.#rise(this.#heap.length - 1)
  }

  after(milliseconds: number, act: Act): void {
    this.at(this.now + milliseconds, act)
  }

  /** Plans something for many moments: the next moment is planned only when the one before has come. */
  every(next: (previous: number) => number, act: Act): void {
    this.at(next(this.now), async () => {
      this.every(next, act)
      await act()
    })
  }

  /** Lets everything happen up to a moment. */
  async runUntil(end: number): Promise<void> {
    for (let first = this.#heap[0]; first !== undefined && first.at < end; first = this.#heap[0]) {
      this.#takeFirst()
      this.now = first.at
      await first.act()
    }
    this.now = end
  }

  #takeFirst(): void {
    const last = this.#heap.pop() as Planned
    if (this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #rise(index: number): void {
    for (let i = index; i > 0; ) {
      const parent = (i - 1) >> 1
      if (!this.#swapIfLater(parent, i)) return
      i = parent
    }
  }

  #sink(index: number): void {
    for (let i = index; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2]
      const lower = right < this.#heap.length && isLater(this.#heap[left], this.#heap[right]) ? right : left
      if (lower >= this.#heap.length || !this.#swapIfLater(i, lower)) return
      i = lower
    }
  }

  #swapIfLater(upper: number, lower: number): boolean {
    const [above, below] = [this.#heap[upper], this.#heap[lower]]
    if (above === undefined || below === undefined || !isLater(above, below)) return false
    this.#heap[upper] = below
    this.#heap[lower] = above
    return true
  }
}

function isLater(one: Planned | undefined, other: Planned | undefined): boolean {
  if (one === undefined || other === undefined) return false
  return one.at === other.at ? one.order > other.order : one.at > other.at
}
