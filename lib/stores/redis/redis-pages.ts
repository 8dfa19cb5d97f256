/** How many parts are read at the same time. So a list does not keep a busy Redis from other commands. */
const PARTS_AT_A_TIME = 8

/** The score and the member after which a list continues, as texts. */
export type Cursor = readonly [score: string, member: string]

/** An entry of a list, and its place there. */
export interface Listed<T> {
  readonly score: number
  /** ASCII text. */
  readonly member: string
  readonly entry: T
}

/** Reads the next entries of one part, at most `limit`. There can be none, and more in the `rest`. */
export type PartOfList<T> = (
  after: Cursor,
  limit: number,
) => Promise<{ readonly items: readonly Listed<T>[]; readonly rest: Cursor | undefined }>

/** Where to begin, and how many entries to read. */
interface Bounds {
  readonly start: Cursor
  readonly limit: number
}

/** The first entries of several sorted lists together: the highest score first, and those of the same score backwards. */
export async function merged<T>(
  readers: readonly PartOfList<T>[],
  { start, limit }: Bounds,
): Promise<readonly Listed<T>[]> {
  // Twice as many as each part has on average, because the entries are spread by chance.
  const most = Math.min(limit, Math.ceil((2 * limit) / readers.length) + 2)
  const parts = readers.map((reader) => new Part(reader, start))
  const found: Listed<T>[] = []
  while (found.length < limit) {
    await eachPart(
      parts.filter((part) => part.isEmpty),
      (part) => part.fill(most),
    )
    const next = highestOf(parts)
    if (next === undefined) break
    // Only until a part has to be read again, because its next entry could be the highest one.
    for (let part: Part<T> | undefined = next; part !== undefined && found.length < limit; ) {
      const first = part.take()
      if (first !== undefined) found.push(first)
      part = part.isEmpty ? undefined : highestOf(parts)
    }
  }
  return found
}

/** The entries of a part that were read and not taken yet. */
class Part<T> {
  readonly #read: PartOfList<T>
  #rest: Cursor | undefined
  #items: readonly Listed<T>[] = []
  #taken = 0

  constructor(read: PartOfList<T>, start: Cursor) {
    this.#read = read
    this.#rest = start
  }

  get first(): Listed<T> | undefined {
    return this.#items[this.#taken]
  }

  /** Whether it has to be read before the next entry is known. */
  get isEmpty(): boolean {
    return this.first === undefined && this.#rest !== undefined
  }

  take(): Listed<T> | undefined {
    const { first } = this
    this.#taken += 1
    return first
  }

  async fill(most: number): Promise<void> {
    while (this.isEmpty && this.#rest !== undefined) {
      const { items, rest } = await this.#read(this.#rest, most)
      this.#items = items
      this.#taken = 0
      this.#rest = rest
    }
  }
}

function highestOf<T>(parts: readonly Part<T>[]): Part<T> | undefined {
  let highest: Part<T> | undefined
  for (const part of parts)
    if (part.first !== undefined && (highest?.first === undefined || isAbove(part.first, highest.first)))
      highest = part
  return highest
}

function isAbove(one: Listed<unknown>, other: Listed<unknown>): boolean {
  return one.score > other.score || (one.score === other.score && one.member > other.member)
}

/** Calls `act` with each part, a few at the same time. After a failure it begins no more. */
export async function eachPart<P>(parts: readonly P[], act: (part: P) => Promise<void>): Promise<void> {
  const waiting = parts.values()
  const lane = async () => {
    for (const part of waiting) await act(part)
  }
  await Promise.all(Array.from({ length: PARTS_AT_A_TIME }, lane))
}
