import { ConfigurationError } from './errors.js'

/** Collects all faults of a value, so that one error reports them together. */
export interface Faults {
  /** Notes `path: expected X, got Y`. `got` must not contain a secret. */
  add(path: string, expected: string, got: string): void
  /** Notes a wrong value. Pass `describeSecret` if the value may be a secret. */
  reject(path: string, expected: string, value: unknown, describeValue?: Describe): void
  /**
   * Notes every unknown name in `value`, and suggests the known name that is most like it.
   *
   * @param inside the paths of names in the members of `value`, such as `policy.scopes`
   */
  addUnknownNames(path: string, value: object, known: readonly string[], inside?: readonly string[]): void
  readonly list: readonly string[]
  /**
   * @param docsUrl the page that explains faults
   * @throws ConfigurationError if there is a fault
   */
  throwIfAny(docsUrl?: string): void
}

/** Describes a value for an error message. */
type Describe = (value: unknown) => string

/** @param describeAny describes the values by default; `describeSecret` never shows one */
export function newFaults(describeAny: Describe = describe): Faults {
  const list: string[] = []
  const add = (path: string, expected: string, got: string) => {
    const comma = expected.endsWith('?') ? '' : ','
    list.push(`${path}: expected ${expected}${comma} got ${got}`)
  }
  return {
    list,
    add,
    reject: (path, expected, value, describeValue = describeAny) => add(path, expected, describeValue(value)),
    addUnknownNames(path, value, known, inside = []) {
      for (const name of Object.keys(value).filter((one) => !known.includes(one))) {
        const meant = meantBy(name, known) ?? pathMeantBy(name, inside)
        const hint =
          meant === undefined ? `one of ${known.join(', ')}` : `a known option; did you mean ${meant}?`
        add(join(path, name), hint, 'an unknown name')
      }
    },
    throwIfAny(docsUrl) {
      if (list.length > 0) throw new ConfigurationError(list, docsUrl)
    },
  }
}

/** Describes a value on one line, a long one only by its length. Not for secrets. */
export function describe(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'number') return String(value)
  // It may be a URL with a password, or an email address.
  if (typeof value === 'string' && value.includes('@'))
    return `a string of ${value.length} characters with an @`
  if (typeof value === 'string')
    return value.length > 80 ? `a string of ${value.length} characters` : JSON.stringify(value)
  if (typeof value === 'boolean') return String(value)
  if (value instanceof Promise) return 'a promise that the code does not await'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** Describes a secret by its type and length only. */
export function describeSecret(value: unknown): string {
  if (typeof value === 'string') return `a string of ${value.length} characters`
  return typeof value === 'number' ? 'a number' : describe(value)
}

/** The path of a member. Some names are not shown: they could forge a line of a log, or be a secret. */
export function join(path: string, name: string): string {
  const shown = /^[\w.#-]{1,64}$/.test(name) ? name : `(a name of ${name.length} characters)`
  return path === '' ? shown : `${path}.${shown}`
}

/** The path of the member that an unknown name most likely means. */
function pathMeantBy(name: string, inside: readonly string[]): string | undefined {
  const lastOf = (path: string) => path.replace(/^.*\./, '')
  const meant = meantBy(name, inside.map(lastOf))
  return inside.find((path) => lastOf(path) === meant)
}

/** The known name within two edits of an unknown one, or the only one that ends or begins with it, or with which it ends. */
function meantBy(name: string, known: readonly string[]): string | undefined {
  const plain = name.toLowerCase().replace(/[_-]/g, '')
  const near = closest(plain, known)
  if (near !== undefined) return near
  const word = plain.charAt(0).toUpperCase() + plain.slice(1)
  const ending = known.filter((one) => one.endsWith(word))
  const beginning = known.filter((one) => one.toLowerCase().startsWith(plain))
  const endings = known.filter((one) => one.length > 1 && name.endsWith(one[0]?.toUpperCase() + one.slice(1)))
  return [ending, beginning, endings].find((ones) => ones.length === 1)?.[0]
}

/** The known text within two edits of an unknown one. */
export function closest(text: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((one) => ({ one, distance: editDistance(text.toLowerCase(), one.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= 2 ? best.one : undefined
}

/** The Levenshtein distance. */
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
