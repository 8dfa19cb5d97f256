import { KEY_STATES, type KeyEntry, type KeyState } from './key-record.js'
import type { ClientUse } from './monitoring-store.js'

/** The most entries of a page of a list. */
export const MOST_LISTED = 1_000

/**
 * The verbs of a store that list and count. They are for people who look after a deployment, and no request waits for
 * them.
 *
 * The answers are not snapshots: entries can change while you read one page after another. An entry that stays, and does
 * not change meanwhile, is on exactly one page. A list never decides a move: the other verbs do.
 *
 * @example
 * async function allKeysOf(store: ListingStore, clientId: string): Promise<KeyEntry[]> {
 *   const keys: KeyEntry[] = []
 *   let after: string | undefined
 *   do {
 *     const page = await store.listKeys({ clientId, limit: 100, ...(after !== undefined && { after }) })
 *     keys.push(...page.keys)
 *     after = page.next
 *   } while (after !== undefined)
 *   return keys
 * }
 */
export interface ListingStore {
  /**
   * One page of the entries that `find` finds, the latest `issuedAt` first. Entries of the same time are in any order
   * that stays the same.
   *
   * The time of a call can grow with the number of keys: a store may have to read all of them to find a few.
   *
   * @throws RangeError when `limit` is not a whole number from 1 to 1,000, `state` is no state of a key, or `after` is
   *   not the `next` of an earlier page
   */
  listKeys(query: KeyQuery): Promise<KeyPage>

  /** Counts all entries that `find` finds. */
  countKeys(): Promise<KeyCounts>

  /**
   * One page of the last uses of clients, without those of bindings, the latest `lastUsedAt` first. Uses of the same time
   * are in any order that stays the same.
   *
   * @throws RangeError when `limit` is not a whole number from 1 to 1,000, or `after` is not the `next` of an earlier
   *   page
   */
  listUses(query: PageQuery): Promise<UsePage>
}

/**
 * Which page of a list to read.
 *
 * @example
 * function nextQuery({ next }: UsePage): PageQuery {
 *   return { limit: 50, ...(next !== undefined && { after: next }) }
 * }
 */
export interface PageQuery {
  /** The most entries of the page: from 1 to `MOST_LISTED`. */
  readonly limit: number
  /** The `next` of the page before. Without it: the first page. */
  readonly after?: string
}

/**
 * Which keys to list.
 *
 * @example
 * const redeemedByFleet: KeyQuery = { clientId: 'fleet', state: 'redeemed', limit: 50 }
 */
export interface KeyQuery extends PageQuery {
  /** Only keys of this client. */
  readonly clientId?: string
  /** Only keys that `find` answers in this state. So keys that `revokeIssuedBefore` covers are `revoked`. */
  readonly state?: KeyState
}

/**
 * A page of keys.
 *
 * @example
 * function isLastPage({ next }: KeyPage): boolean {
 *   return next === undefined
 * }
 */
export interface KeyPage {
  /** The entries, as `find` answers them. */
  readonly keys: readonly KeyEntry[]
  /** Give it as `after` to read the next page. It is opaque text, and it stays valid. Without it: this is the last page. */
  readonly next?: string
}

/**
 * A page of the last uses of clients.
 *
 * @example
 * function clientsOf({ uses }: UsePage): string[] {
 *   return uses.map(({ clientId }) => clientId)
 * }
 */
export interface UsePage {
  readonly uses: readonly ClientUse[]
  /** Give it as `after` to read the next page. It is opaque text, and it stays valid. Without it: this is the last page. */
  readonly next?: string
}

/** The names of the counts. */
export const KEY_COUNTS = Object.freeze([
  ...KEY_STATES,
  'expired',
] as const satisfies readonly (keyof KeyCounts)[])

/**
 * How many entries a store has. Each entry is in one of the counts.
 *
 * @example
 * function outstandingOf({ issued, redeeming }: KeyCounts): number {
 *   return issued + redeeming
 * }
 */
export interface KeyCounts {
  /** Keys that can be redeemed: up to and including their `expiresAt`. */
  readonly issued: number
  /** Keys that are reserved: up to and including their `expiresAt`. */
  readonly redeeming: number
  readonly redeemed: number
  /** Also those that `revokeIssuedBefore` covers, unless they are redeemed. */
  readonly revoked: number
  /** Keys that were never redeemed, and whose `expiresAt` has passed. */
  readonly expired: number
}
