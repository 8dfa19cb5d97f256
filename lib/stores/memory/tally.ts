import { SplitMap } from './split-map.js'

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
