import { isObject } from '../base/object.js'
import type { KeyCounts, KeyPage, KeyQuery, PageQuery, UsePage } from '../ports/store.js'
import { isEntry, isOptionalText, words } from './checked-entry.js'
import { areUses } from './checked-monitoring.js'

/** The members of `KeyCounts`. */
const COUNTS = words<keyof KeyCounts>({ issued: 1, redeeming: 1, redeemed: 1, revoked: 1, expired: 1 })

/** A page has no other entries than those that were asked for. */
export function isKeyPage(page: unknown, { clientId, state, limit }: KeyQuery): page is KeyPage {
  if (!isObject(page) || !isListOf(page.keys, limit) || !isOptionalText(page.next)) return false
  return page.keys.every(
    (entry) =>
      isEntry(entry) &&
      (clientId === undefined ? typeof entry.clientId === 'string' : entry.clientId === clientId) &&
      typeof entry.jti === 'string' &&
      (state === undefined || entry.state === state),
  )
}

/** The uses of clients, and none of a binding. */
export function isUsePage(page: unknown, { limit }: PageQuery): page is UsePage {
  if (!isObject(page) || !isListOf(page.uses, limit) || !isOptionalText(page.next)) return false
  const { uses } = page
  return areUses(uses) && uses.every(({ bindingId }) => bindingId === undefined)
}

export function areCounts(counts: unknown): counts is KeyCounts {
  return (
    isObject(counts) &&
    COUNTS.every((name) => Number.isSafeInteger(counts[name]) && Number(counts[name]) >= 0)
  )
}

function isListOf(list: unknown, most: number): list is readonly unknown[] {
  return Array.isArray(list) && list.length <= most
}
