import { describeSecret, newFaults } from '../../base/faults.js'
import { hasMethods } from '../../base/object.js'
import { clock, object, required, rule, seconds } from '../../base/schema.js'
import type { ProvisioningStore } from '../../ports/store.js'

/**
 * The part of a Keyv that the registry uses. Keyv 4 and newer have it.
 *
 * @example
 * import { Keyv } from 'keyv'
 *
 * const database: KeyvLike = new Keyv({ namespace: 'clients', throwOnErrors: true })
 */
export interface KeyvLike {
  get(key: string): Promise<unknown>
  set(key: string, value: string, ttl?: number): Promise<unknown>
  delete(key: string): Promise<unknown>
  /** Keyv reports errors by this event. Some adapters report them in no other way. */
  on(event: 'error', listener: (error: unknown) => void): unknown
  readonly namespace?: string | undefined
  readonly throwOnErrors?: boolean
}

/**
 * Options of `keyvClientRegistry()`.
 *
 * @example
 * const options: KeyvClientRegistryOptions = { lock: 'process', timeoutSeconds: 5 }
 */
export interface KeyvClientRegistryOptions {
  /**
   * Keeps two changes of one client apart, because Keyv has no compare-and-set. Give the store that all processes
   * share, such as a `redisStore()`. Give `'process'` if only one process, with one registry, writes to the database.
   * @example redisStore({ sendCommand: (command) => redis.sendCommand(command) })
   */
  readonly lock: Pick<ProvisioningStore, 'useOnce'> | 'process'
  /**
   * How long to wait for each answer of the database, in seconds. After that the verb rejects, and the request gets
   * 503. Default 2. If a process dies while it changes a client, other processes can change that client after five
   * times as long.
   * @example 5
   */
  readonly timeoutSeconds?: number
  /**
   * The clock, in milliseconds since the epoch. Give the clock of the store. Default `Date.now`.
   * @example () => performance.timeOrigin + performance.now()
   */
  readonly now?: () => number
}

export interface KeyvOptions extends Required<Omit<KeyvClientRegistryOptions, 'lock'>> {
  /** `undefined`: only this process writes. */
  readonly lock: Pick<ProvisioningStore, 'useOnce'> | undefined
}

const readMembers = object<KeyvClientRegistryOptions>({
  lock: required(
    rule(
      "the store that all processes share, or 'process' if there is only one process",
      (lock) => lock === 'process' || hasMethods(lock, ['useOnce']),
      describeSecret,
    ),
  ),
  timeoutSeconds: seconds(0.1, 60),
  now: clock,
})

const readKeyv = rule<KeyvLike>(
  'a Keyv, with get, set, delete and on',
  (keyv) => hasMethods(keyv, ['get', 'set', 'delete', 'on']),
  describeSecret,
)

/** @throws ConfigurationError with all faults of the Keyv and of the options */
export function readKeyvOptions(keyv: KeyvLike, given: KeyvClientRegistryOptions): KeyvOptions {
  const faults = newFaults()
  const read: Partial<KeyvLike> | undefined = readKeyv(keyv, 'keyv', faults)
  if (read?.throwOnErrors === false)
    faults.add(
      'keyv.throwOnErrors',
      'true; else a failing database would look like one without the client',
      'false',
    )
  const { lock, timeoutSeconds = 2, now = Date.now } = readMembers(given ?? {}, '', faults)
  faults.throwIfAny()
  return Object.freeze({ lock: lock === 'process' ? undefined : lock, timeoutSeconds, now })
}
