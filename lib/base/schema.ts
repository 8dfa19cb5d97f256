import { describe, type describeSecret, type Faults, join, newFaults } from './faults.js'
import { isObject } from './object.js'

/**
 * Reads the value at a path and notes its faults. A faulty value reads as `undefined`, so the result is a `T` only
 * after `faults.throwIfAny()`.
 */
export interface Reader<T> {
  (value: unknown, path: string, faults: Faults): T
  /** The names of the members, if it reads an object. */
  readonly names?: readonly string[]
}

/** @throws ConfigurationError with all faults of the value */
export function parse<T>(read: Reader<T>, value: unknown, path: string): T {
  const faults = newFaults()
  const parsed = read(value, path, faults)
  faults.throwIfAny()
  return parsed
}

/** A reader that `object` calls even if the member is missing, so that it notes the fault. */
type RequiredReader<T> = Reader<T> & { readonly isRequired: true }

/**
 * A reader for each member of `T`: a plain one if the member is optional, otherwise a required one. If you add a member
 * to `T`, it does not compile until you add its reader.
 */
export type Members<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K>
    ? Reader<T[K]> & { readonly isRequired?: never }
    : RequiredReader<T[K]>
}

/** `T` with other types for the members whose readers convert them. */
export type Read<T, Changed extends { readonly [K in keyof T]?: unknown }> = {
  readonly [K in keyof T]: K extends keyof Changed ? Changed[K] : T[K]
}

/** Reads a value that a test accepts. Pass `describeSecret` if the value may be a secret. */
export function rule<T>(
  expected: string,
  accepts: (value: unknown) => boolean,
  describeValue?: typeof describeSecret,
): Reader<T> {
  return (value, path, faults) => {
    const isAccepted = accepts(value)
    if (!isAccepted) faults.reject(path, expected, value, describeValue)
    return (isAccepted ? value : undefined) as T
  }
}

/** Makes the reader of a member that must be present. */
export function required<T>(read: Reader<T>): RequiredReader<T> {
  return Object.assign((...given: Parameters<Reader<T>>) => read(...given), read, {
    isRequired: true as const,
  })
}

/** Reads a text that a test or a pattern accepts. */
export function text<T extends string>(
  expected: string,
  accepts: RegExp | ((text: string) => boolean) = () => true,
): Reader<T> {
  const isAccepted = accepts instanceof RegExp ? (one: string) => accepts.test(one) : accepts
  return rule(expected, (value) => typeof value === 'string' && isAccepted(value))
}

/** Reads a whole number from `least` to `most`. The unit is for the message, such as ` seconds`. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER, unit = ''): Reader<number> {
  return rule(
    `a whole number from ${least} ${most === Number.MAX_SAFE_INTEGER ? 'on' : `to ${most}`}${unit}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
  )
}

/** Reads a number of seconds from `least` to `most`. It may have a fraction. */
export function seconds(least: number, most: number): Reader<number> {
  return rule(
    `a number of seconds from ${least} to ${most}`,
    (value) => typeof value === 'number' && value >= least && value <= most,
  )
}

export const flag: Reader<boolean> = rule('true or false', (value) => typeof value === 'boolean')

export function aFunction<T>(expected = 'a function'): Reader<T> {
  return rule(expected, (value) => typeof value === 'function')
}

/** Reads a clock in milliseconds. With one in seconds, or with `performance.now`, every time of the library would be wrong. */
export const clock: Reader<() => number> = (value, path, faults) => {
  const time = timeOf(value)
  const got = typeof value === 'function' ? `one that returns ${describe(time)}` : describe(value)
  if (!isMilliseconds(time))
    faults.add(path, 'a function that returns milliseconds since the epoch, such as Date.now', got)
  return value as () => number
}

function timeOf(now: unknown): unknown {
  try {
    return (now as () => unknown)()
  } catch {
    return undefined
  }
}

/**
 * Whether a number is no time in seconds (of 2001 to 5138) or microseconds, and none since the start of the process. The
 * clock of a test may begin at 0, but it has no fractions as `performance.now()` has.
 */
function isMilliseconds(time: unknown): boolean {
  if (typeof time !== 'number' || Math.abs(time) >= 1e14) return false
  return time >= 1e11 || (time < 1e9 && Number.isInteger(time))
}

export function oneOf<T>(values: readonly T[]): Reader<T> {
  return rule(values.join(' or '), (value) => (values as readonly unknown[]).includes(value))
}

/** Reads a list of texts. Pass 1 as `least` if an empty list could be mistaken for everything. */
export function texts<T extends string>(
  expected: string,
  accepts: RegExp | ((text: string) => boolean),
  least = 0,
): Reader<readonly T[]> {
  return list(`a list, each entry ${expected}`, text<T>(expected, accepts), { least })
}

/** Reads a list into a frozen copy of its valid entries. Each faulty entry is noted by its index. */
export function list<T>(
  expected: string,
  read: Reader<T>,
  { least = 0, most = Number.POSITIVE_INFINITY } = {},
): Reader<readonly T[]> {
  return (value, path, faults) => {
    if (Array.isArray(value) && value.length >= least && value.length <= most)
      // Array.from() visits holes, map() would skip them.
      return Object.freeze(
        Array.from(value, (entry, index) => read(entry, `${path}[${index}]`, faults)).filter(
          (entry) => entry !== undefined,
        ),
      )
    faults.reject(path, expected, value)
    return undefined as never
  }
}

/** Notes each value that occurs before in the list. It ignores `undefined`, whose fault the reader has noted. */
export function noteRepeated(
  values: readonly unknown[],
  pathOf: (index: number) => string,
  expected: string,
  faults: Faults,
): void {
  for (const [index, value] of values.entries())
    if (value !== undefined && values.indexOf(value) !== index) faults.reject(pathOf(index), expected, value)
}

/** Notes an object that has none or both of two members that exclude each other. */
export function noteExclusive(
  value: unknown,
  [one, other]: readonly [string, string],
  {
    path,
    faults,
    expected = `either ${one} or ${other}`,
  }: { readonly path: string; readonly faults: Faults; readonly expected?: string },
): void {
  if (isObject(value) && (value[one] === undefined) === (value[other] === undefined))
    faults.add(path, expected, value[one] === undefined ? 'neither' : 'both')
}

/** Reads an object into a frozen copy, without the members that are faulty or `undefined`. */
export function object<T>(
  members: Members<T>,
  expected = 'an object',
  describeValue?: typeof describeSecret,
): Reader<T> {
  const readers = Object.entries<Reader<unknown> & { readonly isRequired?: boolean }>(members)
  const names = Object.keys(members)
  const inside = readers.flatMap(([name, reader]) => (reader.names ?? []).map((one) => join(name, one)))
  const readObject: Reader<T> = (value, path, faults) => {
    if (!isObject(value)) {
      faults.reject(path === '' ? 'options' : path, expected, value, describeValue)
      return {} as T
    }
    faults.addUnknownNames(path, value, names, inside)
    const read = readers.map(([name, reader]) => {
      const member = value[name]
      const isAbsent = member === undefined && reader.isRequired !== true
      return [name, isAbsent ? undefined : reader(member, join(path, name), faults)] as const
    })
    return Object.freeze(Object.fromEntries(read.filter(([, member]) => member !== undefined))) as T
  }
  return Object.assign(readObject, { names })
}
