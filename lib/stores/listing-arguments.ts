import { KEY_STATES } from '../ports/key-record.js'
import { MOST_LISTED } from '../ports/listing.js'
import type { KeyCounts, KeyQuery, KeyState, PageQuery } from '../ports/store.js'

/** Where a page ends: the time of its last entry, and the ids that tell it from others of the same time. */
export interface Place {
  readonly time: number
  readonly ids: readonly string[]
}

/** A checked query. */
export interface Page {
  readonly limit: number
  /** The page begins after it. */
  readonly after: Place | undefined
}

/** @throws RangeError */
export function pageOfKeys({
  clientId,
  state,
  ...page
}: KeyQuery): Page & Pick<KeyQuery, 'clientId' | 'state'> {
  if (state !== undefined && !KEY_STATES.includes(state))
    throw new RangeError(`state: expected one of ${KEY_STATES.join(', ')}`)
  return { ...pageOf(page, 2), ...(clientId !== undefined && { clientId }), ...(state && { state }) }
}

/** @throws RangeError */
export function pageOfUses(query: PageQuery): Page {
  return pageOf(query, 1)
}

function pageOf({ limit, after }: PageQuery, ids: number): Page {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_LISTED)
    throw new RangeError(`limit: expected a whole number from 1 to ${MOST_LISTED}, got ${String(limit)}`)
  return { limit, after: after === undefined ? undefined : placeFrom(after, ids) }
}

/** A place as text, for `next`. */
export function textOfPlace({ time, ids }: Place): string {
  return Buffer.from(JSON.stringify([time, ...ids])).toString('base64url')
}

/** @throws RangeError. The message does not repeat the text, which could be anything. */
export function placeFrom(text: string, count: number): Place {
  const [time, ...ids] = listFrom(text)
  const isPlace =
    Number.isFinite(time) &&
    ids.length === count &&
    ids.every((id) => typeof id === 'string' && isUnicode(id))
  if (!isPlace) throw new RangeError('after: expected the next of an earlier page')
  return { time: Number(time), ids: ids.map(String) }
}

function listFrom(text: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}

export function byText(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

/** Half of a surrogate pair has no name in Redis. */
function isUnicode(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

/** Which of the counts of `countKeys` an entry is in. */
export function countOf(state: KeyState, isExpired: boolean): keyof KeyCounts {
  return isExpired && (state === 'issued' || state === 'redeeming') ? 'expired' : state
}
