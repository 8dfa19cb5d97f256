import { describeSecret, faults } from '../../base/faults.js'
import { hasMethods } from '../../base/object.js'
import { aFunction, object, required, rule, seconds } from '../../base/schema.js'
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
  /** Keyv tells of errors in this way, and in some set-ups in no other. */
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

const readMembers = object<KeyvClientRegistryOptions>({
  lock: required(
    rule(
      "the store that all processes share, or 'process' where there is one process alone",
      (lock) => lock === 'process' || hasMethods(lock, ['useOnce']),
      describeSecret,
    ),
  ),
  timeoutSeconds: seconds(0.1, 60),
  now: aFunction(),
})

const readKeyv = rule<KeyvLike>(
  'a Keyv, with get, set, delete and on',
  (keyv) => hasMethods(keyv, ['get', 'set', 'delete', 'on']),
  describeSecret,
)

/** @throws ConfigurationError with every fault of the Keyv and of the options at once */
export function readKeyvOptions(keyv: KeyvLike, given: KeyvClientRegistryOptions): KeyvOptions {
  const noted = faults()
  const read: Partial<KeyvLike> | undefined = readKeyv(keyv, 'keyv', noted)
  if (read?.throwOnErrors === false)
    noted.add(
      'keyv.throwOnErrors',
      'true, or a database that fails would look like one without the client',
      'false',
    )
  const { lock, timeoutSeconds = 2, now = Date.now } = readMembers(given ?? {}, '', noted)
  noted.throwIfAny()
  return Object.freeze({ lock: lock === 'process' ? undefined : lock, timeoutSeconds, now })
}
