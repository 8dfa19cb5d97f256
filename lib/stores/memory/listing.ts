import type { ClientUse, KeyCounts, ListingStore } from '../../ports/store.js'
import { byText, countOf, type Place, pageOfKeys, pageOfUses, textOfPlace } from '../listing-arguments.js'
import type { MonitoringTables } from './monitoring.js'
import { entryOf, type StoredKey } from './stored-key.js'

/**
 * The verbs that list and count. They visit all keys or uses each time, in slices, because an order of all keys would take
 * memory of each key, and time of each request.
 */
export function listingVerbs(tables: MonitoringTables): ListingStore {
  return { ...keyVerbs(tables), ...useVerb(tables) }
}

function keyVerbs({ keys, locks, sweep }: MonitoringTables): Pick<ListingStore, 'listKeys' | 'countKeys'> {
  return {
    async listKeys(query) {
      const { clientId, state, limit, after } = pageOfKeys(query)
      const isWanted = (stored: StoredKey) =>
        !stored.end.isOver && (state === undefined || keys.stateOf(stored) === state)
      sweep.run()
      const found = await firstAfter(clientId === undefined ? keys.all() : keys.ofClient(clientId), {
        ...{ limit, isWanted, compare: byIssuance, placeOf: placeOfKey },
        after: after && { issuedAt: after.time, clientId: after.ids[0] ?? '', jti: after.ids[1] ?? '' },
      })
      // Others may have changed or ended during the scan.
      sweep.run()
      const kept = found.page.filter((stored) => keys.get(stored) === stored && isWanted(stored))
      return {
        keys: Object.freeze(kept.map((stored) => entryOf(stored, locks.strongestOfKey(stored)))),
        ...found.next,
      }
    },
    async countKeys() {
      const counts = { issued: 0, redeeming: 0, redeemed: 0, revoked: 0, expired: 0 } satisfies KeyCounts
      sweep.run()
      const now = sweep.nowSeconds()
      await visitAll(keys.all(), (stored) => {
        if (!stored.end.isOver) counts[countOf(keys.stateOf(stored), stored.expiresAt < now)] += 1
      })
      return counts
    },
  }
}

function useVerb({ uses, sweep }: MonitoringTables): Pick<ListingStore, 'listUses'> {
  return {
    async listUses(query) {
      const { limit, after } = pageOfUses(query)
      const isWanted = (use: ClientUse) => uses.isKept(use)
      sweep.run()
      const found = await firstAfter(uses.ofClients(), {
        ...{ limit, isWanted, compare: byLastUse, placeOf: placeOfUse },
        after: after && { lastUsedAt: after.time, clientId: after.ids[0] ?? '' },
      })
      return { uses: Object.freeze(found.page.filter(isWanted)), ...found.next }
    },
  }
}

type ListedKey = Pick<StoredKey, 'issuedAt' | 'clientId' | 'jti'>
type ListedUse = Pick<ClientUse, 'lastUsedAt' | 'clientId'>

function placeOfKey({ issuedAt, clientId, jti }: ListedKey): Place {
  return { time: issuedAt, ids: [clientId, jti] }
}

function placeOfUse({ lastUsedAt, clientId }: ListedUse): Place {
  return { time: lastUsedAt, ids: [clientId] }
}

/** The latest first. */
function byIssuance(one: ListedKey, other: ListedKey): number {
  return other.issuedAt - one.issuedAt || byText(one.clientId, other.clientId) || byText(one.jti, other.jti)
}

function byLastUse(one: ListedUse, other: ListedUse): number {
  return other.lastUsedAt - one.lastUsedAt || byText(one.clientId, other.clientId)
}

/** Which entries a page has. `L` is the part of an entry that orders it. */
interface Selection<L, T extends L> {
  readonly limit: number
  readonly after: L | undefined
  isWanted(entry: T): boolean
  compare(one: L, other: L): number
  placeOf(entry: L): Place
}

/** The first entries after a place, and the `next` of their page if there are more. */
async function firstAfter<L, T extends L>(
  entries: Iterable<T>,
  { limit, after, isWanted, compare, placeOf }: Selection<L, T>,
): Promise<{ readonly page: readonly T[]; readonly next: { readonly next?: string } }> {
  const first = new FirstOf<T>(limit + 1, compare)
  await visitAll(entries, (entry) => {
    if ((after === undefined || compare(entry, after) > 0) && isWanted(entry)) first.add(entry)
  })
  const found = first.inOrder()
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const hasMore = last !== undefined && found.length > limit
  return { page, next: hasMore ? { next: textOfPlace(placeOf(last)) } : {} }
}

/** How long a scan runs before the process does other work. To visit 100,000 keys takes about ten times as long. */
const SLICE_MILLISECONDS = 1

/** How many entries are visited between two looks at the time. */
const ENTRIES_BETWEEN_LOOKS = 64

/** Visits all entries, in slices. Between two slices the process does other work, and the entries may change. */
async function visitAll<T>(entries: Iterable<T>, visit: (entry: T) => void): Promise<void> {
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
class FirstOf<T> {
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
