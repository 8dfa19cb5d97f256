import { ConfigurationError } from '../base/errors.js'

/** Collects what is wrong with a configuration, so that all of it can be told at once. */
export interface Faults {
  /** Notes `path: expected X, got Y`. Never give it the text of a secret. */
  add(path: string, expected: string, got: string): void
  /** Notes every own name of `value` that is not known, with the nearest known one. */
  addUnknownNames(path: string, value: object, known: readonly string[]): void
  readonly list: readonly string[]
  /** @throws ConfigurationError when there is any fault */
  throwIfAny(): void
}

export function faults(): Faults {
  const list: string[] = []
  return {
    list,
    add(path, expected, got) {
      list.push(`${path}: expected ${expected}, got ${got}`)
    },
    addUnknownNames(path, value, known) {
      for (const name of Object.keys(value).filter((one) => !known.includes(one))) {
        const near = nearest(name, known)
        const hint =
          near === undefined ? `one of ${known.join(', ')}` : `a known option; did you mean ${near}?`
        list.push(`${join(path, name)}: expected ${hint}${near === undefined ? ',' : ''} got an unknown name`)
      }
    },
    throwIfAny() {
      if (list.length > 0) throw new ConfigurationError(list)
    },
  }
}

/** Says what a value is without giving away a long one. Not for secrets. */
export function describe(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'number') return String(value)
  if (typeof value === 'string' && value.includes('@'))
    return `a string of ${value.length} characters with an @`
  if (typeof value === 'string')
    return value.length > 80 ? `a string of ${value.length} characters` : JSON.stringify(value)
  if (typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** Says what a secret is without saying it. */
export function describeSecret(value: unknown): string {
  if (typeof value === 'string') return `a string of ${value.length} characters`
  return typeof value === 'number' ? 'a number' : describe(value)
}

export function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The known name within two edits of an unknown one, if there is one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = name.toLowerCase().replace(/[_-]/g, '')
  const [best] = known
    .map((one) => ({ one, distance: editDistance(plain, one.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= 2 ? best.one : undefined
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
