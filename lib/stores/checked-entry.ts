import { isObject } from '../base/object.js'
import { KEY_STATES } from '../ports/key-record.js'
import { KEY_COUNTS } from '../ports/listing.js'
import type { KeyCounts, KeyEntry, KeyPage, KeyQuery, PageQuery, UsePage } from '../ports/store.js'
import { areNetworks, areUses, isLock } from './checked-monitoring.js'

export function isEntry(entry: unknown): entry is KeyEntry {
  if (!isObject(entry)) return false
  const { state, familyRevoked, familyClientId, confirmation, scope } = entry
  return (
    KEY_STATES.some((one) => one === state) &&
    typeof familyRevoked === 'boolean' &&
    isOptionalText(familyClientId) &&
    typeof entry.subject === 'string' &&
    typeof entry.audience === 'string' &&
    Array.isArray(scope) &&
    scope.every((one) => typeof one === 'string') &&
    Number.isFinite(entry.issuedAt) &&
    Number.isFinite(entry.expiresAt) &&
    Number.isFinite(entry.retainUntil) &&
    Number.isFinite(entry.changedAt) &&
    (entry.reservedAt === undefined || Number.isFinite(entry.reservedAt)) &&
    (confirmation === undefined || isConfirmation(confirmation)) &&
    isMonitored(entry)
  )
}

/** Only `undefined` means that nobody is locked. */
function isMonitored({
  clientId,
  subject,
  claimsDigest,
  issuedTo,
  issuedToAgent,
  networks,
  lock,
}: Partial<KeyEntry>): boolean {
  return (
    isOptionalText(claimsDigest) &&
    isOptionalText(issuedTo) &&
    isOptionalText(issuedToAgent) &&
    (networks === undefined || areNetworks(networks)) &&
    (lock === undefined || isLock(lock, [String(clientId), String(subject)]))
  )
}

/** With an empty confirmation, a bound key would count as a bearer key. */
function isConfirmation(confirmation: unknown): boolean {
  if (!isObject(confirmation)) return false
  const { jkt, 'x5t#S256': certificate } = confirmation
  return isOptionalText(jkt) && isOptionalText(certificate) && Boolean(jkt || certificate)
}

/** Text, or nothing. */
export function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

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
    KEY_COUNTS.every((name) => Number.isSafeInteger(counts[name]) && Number(counts[name]) >= 0)
  )
}

function isListOf(list: unknown, most: number): list is readonly unknown[] {
  return Array.isArray(list) && list.length <= most
}
