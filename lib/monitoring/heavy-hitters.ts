/** A ring of all names with one count. The bucket itself is in the ring, so that no link is ever missing. */
interface Bucket extends Link {
  readonly count: number
  lower: Bucket | undefined
  higher: Bucket | undefined
}

interface Link {
  previous: Link
  next: Link
}

interface Counted extends Link {
  readonly name: string
  bucket: Bucket
  /** The count that the name has taken over: see `HeavyHitters`. */
  inherited: number
  /** How often the name was counted in each part of the window. */
  readonly ofParts: number[]
  /** How often it was counted since `take`. */
  untaken: number
}

/** The window has so many parts. When a new part begins, the oldest one is forgotten. */
const PARTS = 6

/**
 * Counts names within a sliding window of time, in bounded memory and constant time: the Space-Saving algorithm of
 * Metwally, Agrawal and El Abbadi. When the table is full, a new name takes the place and the count of a name with the
 * lowest count, and remembers what it has taken over. So `add` can tell how often a name has been counted at least.
 *
 * The window slides in steps. So it always contains the last five sixths of its time, and never more than its time.
 */
export class HeavyHitters {
  readonly #mostNames: number
  readonly #partMilliseconds: number
  #names = new Map<string, Counted>()
  #lowest: Bucket | undefined
  /** The number of the newest part. */
  #part = Number.NEGATIVE_INFINITY

  constructor(mostNames: number, windowMilliseconds: number) {
    this.#mostNames = mostNames
    this.#partMilliseconds = windowMilliseconds / PARTS
  }

  get size(): number {
    return this.#names.size
  }

  /** Counts a name, and returns how often it was counted in the window, at least. */
  add(name: string, nowMilliseconds: number): number {
    this.#goTo(Math.floor(nowMilliseconds / this.#partMilliseconds))
    const counted = this.#names.get(name) ?? this.#makePlace(name)
    this.#raise(counted)
    const index = indexOf(this.#part)
    counted.ofParts[index] = (counted.ofParts[index] ?? 0) + 1
    counted.untaken += 1
    return countOf(counted)
  }

  /** Returns how often a name was counted in the window since the last call for this name. */
  take(name: string): number {
    const counted = this.#names.get(name)
    if (counted === undefined) return 0
    const untaken = Math.min(counted.untaken, countOf(counted))
    counted.untaken = 0
    return untaken
  }

  #goTo(part: number): void {
    const steps = part - this.#part
    // A clock can be set back by a moment. But one that was far ahead must not keep its counts.
    if (steps === 0 || steps === -1) return
    const left = steps < 0 || steps >= PARTS ? [] : this.#withoutNext(steps)
    this.#part = part
    this.#fill(left.sort((one, other) => sumOf(one) - sumOf(other)))
  }

  /** Empties the oldest parts, and returns the names that were counted in the others. */
  #withoutNext(steps: number): Counted[] {
    const all = [...this.#names.values()]
    for (const { ofParts } of all)
      for (let step = 1; step <= steps; step += 1) ofParts[indexOf(this.#part + step)] = 0
    return all.filter((counted) => sumOf(counted) > 0)
  }

  /** Replaces the table. @param all the names, the rarest first */
  #fill(all: readonly Counted[]): void {
    this.#names = new Map(all.map((counted) => [counted.name, counted]))
    this.#lowest = undefined
    let highest: Bucket | undefined
    for (const counted of all) {
      const count = sumOf(counted)
      if (highest?.count !== count) highest = newBucket({ count, lower: highest, higher: undefined })
      this.#lowest ??= highest
      counted.bucket = highest
      counted.inherited = 0
      join(counted, highest)
    }
  }

  #makePlace(name: string): Counted {
    const bucket = this.#names.size < this.#mostNames ? this.#bucketOfZero() : this.#dropLowest()
    const ofParts = Array<number>(PARTS).fill(0)
    const counted = { name, bucket, inherited: bucket.count, ofParts, untaken: 0 } as unknown as Counted
    join(counted, bucket)
    this.#names.set(name, counted)
    return counted
  }

  #bucketOfZero(): Bucket {
    if (this.#lowest?.count !== 0)
      this.#lowest = newBucket({ count: 0, lower: undefined, higher: this.#lowest })
    return this.#lowest
  }

  #dropLowest(): Bucket {
    const bucket = this.#lowest as Bucket
    const dropped = bucket.next as Counted
    leave(dropped)
    this.#names.delete(dropped.name)
    return bucket
  }

  #raise(counted: Counted): void {
    const { bucket } = counted
    const { higher } = bucket
    const count = bucket.count + 1
    const next = higher?.count === count ? higher : newBucket({ count, lower: bucket, higher })
    leave(counted)
    join(counted, next)
    counted.bucket = next
    if (bucket.next === bucket) this.#unlink(bucket)
  }

  #unlink({ lower, higher }: Bucket): void {
    if (lower === undefined) this.#lowest = higher
    else lower.higher = higher
    if (higher !== undefined) higher.lower = lower
  }
}

/** The place of a part in `ofParts`. */
function indexOf(part: number): number {
  return ((part % PARTS) + PARTS) % PARTS
}

function countOf({ bucket, inherited }: Counted): number {
  return bucket.count - inherited
}

function sumOf({ ofParts }: Counted): number {
  return ofParts.reduce((sum, one) => sum + one, 0)
}

/** Makes an empty bucket between its neighbours. */
function newBucket(place: Pick<Bucket, 'count' | 'lower' | 'higher'>): Bucket {
  const bucket = { ...place } as Bucket
  bucket.previous = bucket
  bucket.next = bucket
  if (bucket.lower !== undefined) bucket.lower.higher = bucket
  if (bucket.higher !== undefined) bucket.higher.lower = bucket
  return bucket
}

function join(link: Link, ring: Link): void {
  link.previous = ring.previous
  link.next = ring
  ring.previous.next = link
  ring.previous = link
}

function leave({ previous, next }: Link): void {
  previous.next = next
  next.previous = previous
}
