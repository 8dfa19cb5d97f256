/** From this size on, a map is split into parts. */
const SPLIT_SIZE = 4_096
const PARTS = 256

/**
 * A map for very many entries. When a `Map` of V8 grows or shrinks, it copies all its entries. With 1,000,000 entries
 * that blocks the process for 88 ms, with 4,000 for 0.2 ms. So a large map consists of many small ones.
 */
export class SplitMap<V> {
  /** One, or `PARTS`. */
  #parts: readonly Map<string, V>[] = [new Map()]
  #size = 0

  get size(): number {
    return this.#size
  }

  get(name: string): V | undefined {
    return this.#partOf(name).get(name)
  }

  set(name: string, value: V): void {
    const part = this.#partOf(name)
    const before = part.size
    part.set(name, value)
    this.#size += part.size - before
    if (this.#size >= SPLIT_SIZE && this.#parts.length === 1) this.#split(part)
  }

  delete(name: string): void {
    if (this.#partOf(name).delete(name)) this.#size -= 1
  }

  *values(): Generator<V> {
    for (const part of this.#parts) yield* part.values()
  }

  #partOf(name: string): Map<string, V> {
    const index = this.#parts.length === 1 ? 0 : partIndex(name)
    return this.#parts[index] as Map<string, V>
  }

  #split(whole: Map<string, V>): void {
    this.#parts = Array.from({ length: PARTS }, () => new Map<string, V>())
    for (const [name, value] of whole) this.#partOf(name).set(name, value)
  }
}

/** Names that a caller chooses can end up in one part. That part is then an ordinary map. */
function partIndex(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i += 1) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (PARTS - 1)
}

/** Counts by name. A count of 0 takes no memory. */
export class Tally {
  readonly #counts = new SplitMap<number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string, difference: 1 | -1): void {
    const count = this.of(name) + difference
    if (count > 0) this.#counts.set(name, count)
    else this.#counts.delete(name)
  }
}
