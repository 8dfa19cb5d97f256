import { types } from 'node:util'

/** A text in captured values, and where it is. */
export interface CapturedText {
  readonly place: string
  readonly text: string
}

/** More values than the request objects of an app have. */
const MOST_VALUES = 2_000_000

/** A value that is still to be searched. */
interface Pending {
  readonly place: string
  readonly value: unknown
}

/**
 * Every text in a value: in strings, buffers, and all that an object leads to, such as the headers of a request. The chunks
 * of an array are also joined, because a stream can divide a key.
 *
 * @throws RangeError if the value leads to too many others
 */
export function* textsIn(captured: unknown): Generator<CapturedText> {
  const pending: Pending[] = [{ place: 'captured', value: captured }]
  const seen = new Set<unknown>()
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { place, value } = next
    const text = textOf(value)
    if (text !== undefined) yield { place, text }
    if (text !== undefined || value === null || !/^(object|function)$/.test(typeof value)) continue
    if (seen.has(value)) continue
    seen.add(value)
    if (seen.size > MOST_VALUES)
      throw new RangeError('captured leads to too many objects: pass what was logged')
    if (Array.isArray(value)) yield { place: `${place}, joined`, text: value.map(textOf).join('') }
    for (const name of namesOf(value as object)) yield { place: `the names in ${place}`, text: name }
    for (const member of membersOf(value as object, place)) pending.push(member)
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'symbol') return value.description ?? ''
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
  return types.isAnyArrayBuffer(value) ? Buffer.from(value).toString('latin1') : undefined
}

function namesOf(value: object): readonly string[] {
  return Reflect.ownKeys(value).filter(
    (name) => typeof name === 'string' && name.length > LONGEST_NAME,
  ) as string[]
}

/** A longer name of a property can be a secret, so it is searched, and no place shows it. */
const LONGEST_NAME = 30

function membersOf(value: object, place: string): readonly Pending[] {
  const own = Reflect.ownKeys(value).map((name) => ({
    place: placeOf(place, name),
    value: read(value, name),
  }))
  return [...own, ...entriesOf(value, place), { place: `${place}.toJSON()`, value: jsonOf(value) }]
}

function placeOf(place: string, name: string | symbol): string {
  if (typeof name === 'symbol') return `${place}[a symbol]`
  if (/^\d{1,9}$/.test(name)) return `${place}[${name}]`
  return `${place}.${/^[\w$-]+$/.test(name) && name.length <= LONGEST_NAME ? name : '(a property)'}`
}

/** A member, also through its getter, because serializers call it. */
function read(value: object, name: string | symbol): unknown {
  try {
    return Reflect.get(value, name)
  } catch (error) {
    return error
  }
}

/** What JSON would contain. */
function jsonOf(value: object): unknown {
  try {
    const { toJSON } = value as { toJSON?: unknown }
    return typeof toJSON === 'function' ? toJSON.call(value, '') : undefined
  } catch (error) {
    return error
  }
}

const WITH_ENTRIES = /^\[object (Headers|URLSearchParams|FormData)\]$/

/** The entries of a collection, which are no properties. */
function entriesOf(value: object, place: string): readonly Pending[] {
  const isCollection = types.isMap(value) || types.isSet(value) || WITH_ENTRIES.test(String(tagOf(value)))
  const entries = isCollection ? [...(value as Iterable<unknown>)] : []
  return entries.map((entry) => ({ place: `an entry of ${place}`, value: entry }))
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value)
}
