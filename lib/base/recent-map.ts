/**
 * A map of bounded size that keeps the recently used entries, in two generations. When the newer generation is full, it
 * replaces the older one.
 */
export class RecentMap<V> {
  readonly #mostOfGeneration: number
  #newer = new Map<string, V>()
  #older = new Map<string, V>()

  constructor(mostOfGeneration: number) {
    this.#mostOfGeneration = mostOfGeneration
  }

  get(name: string): V | undefined {
    const known = this.#newer.get(name)
    if (known !== undefined) return known
    const older = this.#older.get(name)
    if (older !== undefined) this.add(name, older)
    return older
  }

  /** All entries, the newer generation first. An entry that is in both comes twice. */
  *entries(): Iterable<readonly [name: string, value: V]> {
    yield* this.#newer
    yield* this.#older
  }

  add(name: string, value: V): void {
    if (this.#newer.size >= this.#mostOfGeneration) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(name, value)
  }
}
