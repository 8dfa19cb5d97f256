import { parseJson } from '../../base/object.js'
import type { KeyEntry, KeyRecord, Lock } from '../../ports/store.js'
import { isLock } from '../checked-monitoring.js'
import { strengthOf } from '../monitoring-arguments.js'
import { encoded } from './redis-layout.js'

/*
 * Where a key was seen, in one field of its entry: words for the network and the user agent of its issuance, and for each
 * network that it was presented from. Redis needs 700 bytes more for a field of over 64 characters, so the field is short:
 * two IPv6 networks fit into it.
 */

/** The words that are no texts. A text has none of these characters, because they are encoded in it. */
const NONE = ','
const EMPTY = '+'
const SAME_AS_ISSUANCE = '='

/** The field of a new key. */
export function seenAtIssuance({ issuedTo, issuedToAgent }: KeyRecord): string {
  return [issuedTo, issuedToAgent].map((text) => (text === undefined ? NONE : sightingWord(text))).join(' ')
}

/** A text as a word of the field. @throws URIError when it is not valid Unicode */
export function sightingWord(text: string): string {
  return text === '' ? EMPTY : encoded(text).replaceAll('%3A', ':').replaceAll('%2F', '/')
}

/** The members of an entry that the field has. */
export function sightingsFrom(field: string): Pick<KeyEntry, 'issuedTo' | 'issuedToAgent' | 'networks'> {
  const [to = NONE, agent = NONE, ...others] = field.split(' ')
  const sightings: { issuedTo?: string; issuedToAgent?: string; networks?: readonly string[] } = {}
  if (to !== NONE) sightings.issuedTo = textFrom(to)
  if (agent !== NONE) sightings.issuedToAgent = textFrom(agent)
  if (others.length > 0)
    sightings.networks = Object.freeze(others.map((word) => textFrom(word === SAME_AS_ISSUANCE ? to : word)))
  return sightings
}

function textFrom(word: string): string {
  if (word === EMPTY) return ''
  // Most texts have no character that is encoded.
  return word.includes('%') ? decodeURIComponent(word) : word
}

/** The line of a lock: its strength, from 1 on, and its end, which scripts read, and then the lock. */
export function textOfLock(lock: Lock): string {
  return `${strengthOf(lock) + 1} ${lock.until} ${JSON.stringify(lock)}`
}

/** @throws Error when the text is none of a lock */
export function lockFrom(text: unknown): Lock {
  const lock: unknown = objectFrom(String(text).replace(/^\d+ \S+ /, ''))
  if (isLock(lock)) return Object.freeze(lock)
  throw new Error('Redis: expected a lock')
}

/** Reads a JSON object or list. @throws Error */
export function objectFrom(text: unknown): Readonly<Record<string, unknown>> {
  const value = parseJson(String(text))
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw new Error('Redis: expected an object')
}
