import type { ClientUse, KeyEntry, ListingStore, PageQuery } from '../../lib/ports/store.js'

/** What the lists read. */
interface Listed {
  keys(): readonly KeyEntry[]
  uses(): readonly ClientUse[]
}

/** The simplest correct lists: a cursor is the last entry itself, and each page sorts all entries. */
export function naiveListing(now: () => number, { keys, uses }: Listed): ListingStore {
  return {
    async listKeys({ clientId, state, ...page }) {
      const wanted = keys()
        .filter((key) => [undefined, key.clientId].includes(clientId))
        .filter((key) => [undefined, key.state].includes(state))
      const { entries, next } = pageOf(wanted, page, (key) => [key.issuedAt, key.clientId, key.jti])
      return { keys: entries, ...next }
    },
    async countKeys() {
      const counts = { issued: 0, redeeming: 0, redeemed: 0, revoked: 0, expired: 0 }
      for (const { state, expiresAt } of keys())
        counts[/^(issued|redeeming)$/.test(state) && expiresAt < now() ? 'expired' : state] += 1
      return counts
    },
    async listUses(page) {
      const wanted = uses().filter(({ bindingId }) => bindingId === undefined)
      const { entries, next } = pageOf(wanted, page, (use) => [use.lastUsedAt, use.clientId])
      return { uses: entries, ...next }
    },
  }
}

type Place = readonly [time: number, ...ids: string[]]

function pageOf<T>(entries: readonly T[], { limit, after }: PageQuery, placeOf: (entry: T) => Place) {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 1_000)) throw new RangeError()
  const last: Place | undefined = after === undefined ? undefined : JSON.parse(after)
  const left = entries
    .filter((entry) => last === undefined || compare(placeOf(entry), last) > 0)
    .sort((one, other) => compare(placeOf(one), placeOf(other)))
  const found = left.slice(0, limit)
  const end = found.at(-1)
  return {
    entries: found,
    next: end !== undefined && left.length > limit ? { next: JSON.stringify(placeOf(end)) } : {},
  }
}

function compare([time, ...ids]: Place, [otherTime, ...otherIds]: Place): number {
  if (time !== otherTime) return otherTime - time
  return JSON.stringify(ids) === JSON.stringify(otherIds)
    ? 0
    : JSON.stringify(ids) < JSON.stringify(otherIds)
      ? -1
      : 1
}
