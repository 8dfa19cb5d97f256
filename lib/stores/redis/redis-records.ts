import { parseJson, withoutUndefined } from '../../base/object.js'
import { KEY_STATES } from '../../ports/key-record.js'
import type {
  Confirmation,
  KeyEntry,
  KeyRecord,
  KeyRef,
  KeyState,
  Lease,
  Lock,
  Recollection,
  Settlement,
} from '../../ports/store.js'
import { isLock } from '../checked-monitoring.js'
import { strengthOf } from '../monitoring-arguments.js'
import { copyOfConfirmation, requireLease, requireTime } from '../verb-arguments.js'
import { encoded } from './redis-layout.js'

/** The operands of `record` that the key does not have. */
interface RecordSettings {
  readonly outstanding: number
  readonly maxRetentionSeconds: number
  /** How often to look for keys that are gone, and still listed. */
  readonly looks: number
}

/**
 * The operands of the script `record`, in its order. They are taken member by member, so that nothing else of the
 * caller's object is sent.
 */
export function operandsOf(
  key: KeyRecord,
  { outstanding, maxRetentionSeconds, looks }: RecordSettings,
): string[] {
  return [
    encoded(key.jti),
    textOf(key.subject),
    numberOf(key.issuedAt, 'issuedAt'),
    String(key.retainUntil),
    String(outstanding),
    JSON.stringify(key.scope),
    textOf(key.audience),
    numberOf(key.expiresAt, 'expiresAt'),
    String(maxRetentionSeconds),
    String(looks),
    ...(key.confirmation === undefined ? [] : ['cnf', JSON.stringify(copyOfConfirmation(key.confirmation))]),
    ...(key.claimsDigest === undefined ? [] : ['digest', textOf(key.claimsDigest)]),
    ...(key.issuedTo === undefined && key.issuedToAgent === undefined ? [] : ['seen', seenAtIssuance(key)]),
  ]
}

/** The operands of the script `redeem` for a lease: its owner, and its end if the key is reserved now. */
export function leaseOperands(lease: Lease | undefined, seconds: number): string[] {
  if (lease === undefined) return []
  requireLease(lease)
  return [textOf(lease.ownerId), String(seconds + lease.leaseSeconds)]
}

/** The operands of the script `settle` for a settlement: names and values. */
export function settlementOperands({ outcome, request, familyClientId }: Settlement = {}): string[] {
  return Object.entries({ outcome, request, family_client: familyClientId }).flatMap(([name, value]) =>
    value === undefined ? [] : [name, textOf(value)],
  )
}

/** Reads the reply of the script `recall`. */
export function recollectionFrom(reply: unknown): Recollection | undefined {
  if (!Array.isArray(reply)) throw new Error('Redis: expected a list as the answer of recall')
  const [redemption, ...kept] = reply.map(String)
  if (redemption === undefined) return undefined
  const textUnder = (name: string) => kept.find((_, i) => i % 2 === 1 && kept[i - 1] === name)
  const [outcome, request] = [textUnder('outcome'), textUnder('request')]
  return Object.freeze(withoutUndefined({ redemption, outcome, request }))
}

/** Reads the reply of the script `find`: a JSON text, in which a missing field is `false`. */
export function entryFrom({ clientId, jti }: KeyRef, reply: unknown): KeyEntry | undefined {
  const text = String(reply)
  if (text === 'unknown') return undefined
  const [state, family, subject, scope, audience, ...rest] = fieldsFrom(text)
  const [issuedAt, expiresAt, retainUntil, changedAt, reservedAt, confirmation, ...others] = rest
  const [claimsDigest, familyClientId, seen, lock] = others
  return Object.freeze({
    clientId,
    jti,
    subject,
    scope: Object.freeze(JSON.parse(scope) as string[]),
    audience,
    issuedAt: Number(issuedAt),
    expiresAt: Number(expiresAt),
    retainUntil: Number(retainUntil),
    ...(confirmation && { confirmation: Object.freeze(JSON.parse(confirmation) as Confirmation) }),
    ...(claimsDigest !== false && { claimsDigest }),
    state,
    changedAt: Number(changedAt || issuedAt),
    ...(reservedAt && { reservedAt: Number(reservedAt) }),
    familyRevoked: family === 'revoked',
    ...(familyClientId !== false && { familyClientId }),
    ...(seen !== false && sightingsFrom(seen)),
    ...(lock !== undefined && { lock: lockFrom(lock) }),
  })
}

type Optional = string | false
type Fields = readonly [
  ...[state: KeyState, family: Optional, subject: string, scope: string, audience: string],
  ...[issuedAt: string, expiresAt: string, retainUntil: string, changedAt: Optional, reservedAt: Optional],
  ...[confirmation: Optional, claimsDigest: Optional],
  ...[familyClientId: Optional, seen: Optional, lock?: string],
]

function fieldsFrom(text: string): Fields {
  const fields = parseJson(text)
  if (Array.isArray(fields) && fields.length >= 14 && KEY_STATES.includes(fields[0])) return fields as never
  throw new Error('Redis: expected an entry as the answer of find')
}

/** The text itself. @throws URIError when it is not valid Unicode, which Redis would change */
export function textOf(text: string): string {
  encoded(text)
  return text
}

function numberOf(value: number, name: string): string {
  requireTime(name, value)
  return String(value)
}

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
function seenAtIssuance({ issuedTo, issuedToAgent }: KeyRecord): string {
  return [issuedTo, issuedToAgent].map((text) => (text === undefined ? NONE : sightingWord(text))).join(' ')
}

/** A text as a word of the field. @throws URIError when it is not valid Unicode */
export function sightingWord(text: string): string {
  return text === '' ? EMPTY : encoded(text).replaceAll('%3A', ':').replaceAll('%2F', '/')
}

/** The members of an entry that the field has. */
function sightingsFrom(field: string): Pick<KeyEntry, 'issuedTo' | 'issuedToAgent' | 'networks'> {
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
