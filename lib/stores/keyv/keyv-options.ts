import { ConfigurationError } from '../../base/errors.js'
import type { ProvisioningStore } from '../../ports/store.js'

/** What of a Keyv is used: any version's, from 4 on. */
export interface KeyvLike {
  get(key: string): Promise<unknown>
  set(key: string, value: string, ttl?: number): Promise<unknown>
  delete(key: string): Promise<unknown>
  /** Keyv tells of errors in this way, and in some set-ups in no other. */
  on(event: 'error', listener: (error: unknown) => void): unknown
  readonly namespace?: string | undefined
  readonly throwOnErrors?: boolean
}

/** Options of `keyvClientRegistry()`. */
export interface KeyvClientRegistryOptions {
  /**
   * What keeps two changes of one client apart, since Keyv has no compare-and-set: the store that all processes share,
   * such as a `redisStore()`; or `'process'`, where one process alone, with one registry, ever writes to the database.
   */
  readonly lock: Pick<ProvisioningStore, 'useOnce'> | 'process'
  /**
   * How long each answer of the database is waited for, in seconds; then the verb rejects, and the request gets 503.
   * Default 2. A client that a process left locked is free again after five times as long.
   */
  readonly timeoutSeconds?: number
  /** The clock, in milliseconds since the epoch: the one that the store has. Default `Date.now`. */
  readonly now?: () => number
}

export interface KeyvOptions extends Required<Omit<KeyvClientRegistryOptions, 'lock'>> {
  /** `undefined`: nobody else writes. */
  readonly lock: Pick<ProvisioningStore, 'useOnce'> | undefined
}

const KNOWN: Record<keyof KeyvClientRegistryOptions, true> = { lock: true, timeoutSeconds: true, now: true }

/** @throws ConfigurationError with every fault of the Keyv and of the options at once */
export function readKeyvOptions(keyv: KeyvLike, given: KeyvClientRegistryOptions): KeyvOptions {
  const options: Record<string, unknown> = { ...given }
  const { lock, timeoutSeconds = 2, now = Date.now } = options
  const faults: string[] = []
  const expect = (holds: boolean, path: string, expected: string, got: unknown) =>
    holds || faults.push(`${path}: expected ${expected}, got ${told(got)}`)
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(KNOWN, name))
  for (const name of unknown)
    faults.push(`${name}: expected one of ${Object.keys(KNOWN).join(', ')}, got an unknown name`)
  expect(isKeyv(keyv), 'keyv', 'a Keyv, with get, set, delete and on', keyv)
  expect(
    !isKeyv(keyv) || keyv.throwOnErrors !== false,
    'keyv.throwOnErrors',
    'true, or a database that fails would look like one without the client',
    false,
  )
  expect(
    lock === 'process' || hasMethods(lock, ['useOnce']),
    'lock',
    "the store that all processes share, or 'process' where there is one process alone",
    lock,
  )
  const isTime = typeof timeoutSeconds === 'number' && timeoutSeconds >= 0.1 && timeoutSeconds <= 60
  expect(isTime, 'timeoutSeconds', 'a number of seconds from 0.1 to 60', timeoutSeconds)
  expect(typeof now === 'function', 'now', 'a function', now)
  if (faults.length > 0) throw new ConfigurationError(faults)
  return Object.freeze({ lock: lock === 'process' ? undefined : lock, timeoutSeconds, now }) as KeyvOptions
}

function isKeyv(value: unknown): value is KeyvLike {
  return hasMethods(value, ['get', 'set', 'delete', 'on'])
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof value[name as keyof typeof value] === 'function')
}

function told(value: unknown): string {
  if (typeof value === 'string') return `a string of ${value.length} characters`
  return typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 80)
}
