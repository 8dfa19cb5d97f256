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
  readonly inherited: number
}

/**
 * Counts names within a window of time, in bounded memory and constant time: the Space-Saving algorithm of Metwally,
 * Agrawal and El Abbadi. When the table is full, a new name takes the place and the count of a name with the lowest count,
 * and remembers what it has taken over. So `add` can tell how often a name has been counted at least.
 */
export class HeavyHitters {
  readonly #mostNames: number
  readonly #windowMilliseconds: number
  #names = new Map<string, Counted>()
  #lowest: Bucket | undefined
  #windowEnd = Number.NEGATIVE_INFINITY

  constructor(mostNames: number, windowMilliseconds: number) {
    this.#mostNames = mostNames
    this.#windowMilliseconds = windowMilliseconds
  }

  get size(): number {
    return this.#names.size
  }

  /** Counts a name, and returns how often it was counted in this window, at least. */
  add(name: string, nowMilliseconds: number): number {
    // A clock that was ahead must not keep a window open.
    const isOutside =
      nowMilliseconds >= this.#windowEnd || nowMilliseconds < this.#windowEnd - this.#windowMilliseconds
    if (isOutside) this.#startWindow(nowMilliseconds)
    const counted = this.#names.get(name) ?? this.#makePlace(name)
    this.#raise(counted)
    return counted.bucket.count - counted.inherited
  }

  #startWindow(nowMilliseconds: number): void {
    this.#names = new Map()
    this.#lowest = undefined
    this.#windowEnd = nowMilliseconds + this.#windowMilliseconds
  }

  #makePlace(name: string): Counted {
    const bucket = this.#names.size < this.#mostNames ? this.#bucketOfZero() : this.#dropLowest()
    const counted = { name, bucket, inherited: bucket.count } as Counted
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
