import type { ClientUse, KeyCounts, ListingStore } from '../../ports/store.js'
import { countOf, type Place, pageOfKeys, pageOfUses, textOfPlace } from '../listing-arguments.js'
import type { UseTable } from './client-uses.js'
import type { KeyTable } from './key-table.js'
import type { LockTable } from './locks.js'
import { FirstOf, visitAll } from './scan.js'
import { entryOf, type StoredKey } from './stored-key.js'
import type { Sweep } from './sweep.js'

/** What the verbs that list and count read. */
interface ListedTables {
  readonly keys: KeyTable
  readonly uses: UseTable
  readonly locks: LockTable
  readonly sweep: Sweep
}

/**
 * The verbs that list and count. They visit all keys or uses each time, in slices, because an order of all keys would take
 * memory of each key, and time of each request.
 */
export function listingVerbs({ keys, uses, locks, sweep }: ListedTables): ListingStore {
  return {
    async listKeys(query) {
      const { clientId, state, limit, after } = pageOfKeys(query)
      const isWanted = (stored: StoredKey) =>
        !stored.end.isOver && (state === undefined || keys.stateOf(stored) === state)
      sweep.run()
      const found = await firstAfter(clientId === undefined ? keys.all() : keys.ofClient(clientId), {
        ...{ limit, after, isWanted },
        placeOf: ({ issuedAt, clientId: id, jti }: StoredKey) => ({ time: issuedAt, ids: [id, jti] }),
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
    async listUses(query) {
      const { limit, after } = pageOfUses(query)
      const isWanted = (use: ClientUse) => uses.isKept(use)
      sweep.run()
      const found = await firstAfter(uses.ofClients(), {
        ...{ limit, after, isWanted },
        placeOf: ({ lastUsedAt, clientId }) => ({ time: lastUsedAt, ids: [clientId] }),
      })
      return { uses: Object.freeze(found.page.filter(isWanted)), ...found.next }
    },
  }
}

/** Which entries a page has. */
interface Selection<T> {
  readonly limit: number
  readonly after: Place | undefined
  isWanted(entry: T): boolean
  placeOf(entry: T): Place
}

/** The first entries after a place, and the `next` of their page if there are more. */
async function firstAfter<T>(
  entries: Iterable<T>,
  { limit, after, isWanted, placeOf }: Selection<T>,
): Promise<{ readonly page: readonly T[]; readonly next: { readonly next?: string } }> {
  const first = new FirstOf<T>(limit + 1, (one, other) => compare(placeOf(one), placeOf(other)))
  await visitAll(entries, (entry) => {
    if ((after === undefined || compare(placeOf(entry), after) > 0) && isWanted(entry)) first.add(entry)
  })
  const found = first.inOrder()
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const hasMore = last !== undefined && found.length > limit
  return { page, next: hasMore ? { next: textOfPlace(placeOf(last)) } : {} }
}

/** The latest first, and those of the same time by their ids. */
function compare(one: Place, other: Place): number {
  if (one.time !== other.time) return other.time - one.time
  const differing = one.ids.findIndex((id, i) => id !== other.ids[i])
  if (differing === -1) return 0
  return (one.ids[differing] ?? '') < (other.ids[differing] ?? '') ? -1 : 1
}
