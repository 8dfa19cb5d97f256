import { ProvisioningError } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import { object, type Reader, text, whole } from '../base/schema.js'
import { CLIENT_ID } from '../ports/client.js'
import { callStore } from '../ports/deployment.js'
import type { PageQuery } from '../ports/store.js'
import { byText, type Place, placeFrom, textOfPlace } from '../stores/listing-arguments.js'
import { Problem } from './problem.js'

/** The parameters that several endpoints have. */
export const aClientId = text('the id of a client', CLIENT_ID)
export const anId = text('an id of 1 to 256 characters', isShort)
export const aCursor = text(
  'the next of an earlier page',
  (given) => given.length > 0 && given.length <= 2_048,
)

/** For the endpoints without parameters. */
export const readNothing = object<Record<never, never>>({})

/** Which part of a list to answer. */
export interface ListQuery {
  readonly after?: string
  readonly limit?: number
}

const DEFAULT_LIMIT = 50
const MOST_ITEMS = 200

/** A whole number, which is text in a query. */
const aLimit: Reader<number> = (value, path, faults) =>
  whole(1, MOST_ITEMS)(
    typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value,
    path,
    faults,
  )

export const listMembers = { after: aCursor, limit: aLimit }

/** The query that a verb of the store gets. */
export function pageOf({ after, limit = DEFAULT_LIMIT }: ListQuery) {
  return { limit, ...(after !== undefined && { after }) }
}

/**
 * Reads a page from the store.
 *
 * @throws Problem if the store did not give the cursor
 */
async function readPage<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await callStore(ask)
  } catch (error) {
    if (error instanceof ProvisioningError && error.cause instanceof RangeError) throw WRONG_CURSOR
    throw error
  }
}

const WRONG_CURSOR = new Problem(400, 'Some parameters are wrong.', {
  faults: ['after: expected the next of an earlier page, got another text'],
})

/** The most pages of the store that one answer reads, if no item matches. */
const MOST_PAGES = 20

interface Search<T> {
  /** Reads a page from the store. */
  readonly read: (query: PageQuery) => Promise<{ readonly items: readonly T[]; readonly next?: string }>
  readonly matches: (item: T) => boolean
  /** How much to read at a time, if most items do not match. Default: the limit of the query. */
  readonly size?: number
}

/** Reads a page of matching items. It can be empty although it has a `next`. */
export async function searchPages<T>(
  { limit, after }: PageQuery,
  { read, matches, size = limit }: Search<T>,
): Promise<{ readonly items: readonly T[]; readonly next?: string | undefined }> {
  let start = after
  for (let pages = 1; ; pages += 1) {
    const ask = (length: number) => readPage(() => read(withoutUndefined({ limit: length, after: start })))
    let page = await ask(size)
    const last = page.items.filter(matches)[limit - 1]
    const length = last === undefined ? size : page.items.indexOf(last) + 1
    // A shorter page ends with the last item that has room, and so does its `next`.
    if (length < page.items.length) page = await ask(length)
    const items = page.items.filter(matches)
    if (items.length > 0 || page.next === undefined || pages === MOST_PAGES) return { items, next: page.next }
    start = page.next
  }
}

/** One page of a list that is in memory, the latest first. It begins after a place, so no item has to be there still. */
export function pageIn<T>(
  items: readonly T[],
  placeOf: (item: T) => Place,
  { after, limit = DEFAULT_LIMIT }: ListQuery,
): { readonly items: readonly T[]; readonly next?: string } {
  const end = after === undefined ? undefined : placeIn(after)
  const left = items
    .filter((item) => end === undefined || byPlace(placeOf(item), end) > 0)
    .sort((one, other) => byPlace(placeOf(one), placeOf(other)))
  const page = left.slice(0, limit)
  const last = page.at(-1)
  return { items: page, ...(last && left.length > limit && { next: textOfPlace(placeOf(last)) }) }
}

function placeIn(after: string): Place {
  try {
    return placeFrom(after, 1)
  } catch {
    throw WRONG_CURSOR
  }
}

function byPlace(one: Place, other: Place): number {
  return other.time - one.time || byText(one.ids.join(), other.ids.join())
}

/** Half of a surrogate pair has no name in a store. */
function isShort(given: string): boolean {
  return given.length > 0 && given.length <= 256 && !/\p{Surrogate}/u.test(given)
}
