import type { Options, Store } from 'express-rate-limit'
import { describe, describeSecret, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'

/** The endpoints that authenticate a client or redeem a key, and so are limited. */
export const LIMITED_ENDPOINTS = [
  'token',
  'bind',
  'bindings',
  'register',
  'introspect',
  'revoke',
  'redeem',
] as const
export type LimitedEndpoint = (typeof LIMITED_ENDPOINTS)[number]

/** What of express-rate-limit can be set per endpoint; the rest is ours, so that answers stay what OAuth wants. */
export type EndpointLimit = Partial<Pick<Options, 'windowMs' | 'limit' | 'skip'>>

/** Limits per endpoint. Each counts twice: per address, before anything else is done, and per authenticated client. */
export type RateLimitOptions = { readonly [E in LimitedEndpoint]?: false | EndpointLimit } & {
  /**
   * Makes the express-rate-limit store of one limiter; its name tells them apart. Default: in memory, so that each
   * process counts for itself.
   */
  readonly store?: (name: string) => Store
  /** How long that store is waited for, in seconds; then the request gets 503. Default 2, at most 60. */
  readonly timeoutSeconds?: number
}

export interface RateLimits {
  readonly of: (endpoint: LimitedEndpoint) => EndpointLimit | undefined
  /** Makes the store of one limiter. Its answers are not checked yet. */
  readonly store: ((name: string) => unknown) | undefined
  readonly timeoutSeconds: number
}

const DEFAULT_LIMIT: EndpointLimit = { windowMs: 60_000, limit: 300 }

/** @param endpoints those that there are */
export function readRateLimits(
  value: unknown,
  faults: Faults,
  endpoints: readonly LimitedEndpoint[] = LIMITED_ENDPOINTS,
): RateLimits {
  if (value === false) return { of: () => undefined, store: undefined, timeoutSeconds: 0 }
  if (value !== undefined && !isObject(value)) {
    faults.add('rateLimit', 'false, or an object with limits per endpoint', describe(value))
  }
  const given: Record<string, unknown> = isObject(value) ? { ...value } : {}
  faults.addUnknownNames('rateLimit', given, [...endpoints, 'store', 'timeoutSeconds'])
  for (const endpoint of endpoints) {
    given[endpoint] = readLimit(join('rateLimit', endpoint), given[endpoint], faults)
  }
  if (given.store !== undefined && typeof given.store !== 'function') {
    faults.add(
      'rateLimit.store',
      'a function that makes a store for each limiter',
      describeSecret(given.store),
    )
  }
  const timeoutSeconds = readTimeout(given.timeoutSeconds, faults)
  return Object.freeze({
    of: (endpoint: LimitedEndpoint) => given[endpoint] as EndpointLimit | undefined,
    store: given.store as RateLimits['store'],
    timeoutSeconds,
  })
}

const LONGEST_TIMEOUT_SECONDS = 60

function readTimeout(value: unknown, faults: Faults): number {
  if (value === undefined) return 2
  if (typeof value === 'number' && value > 0 && value <= LONGEST_TIMEOUT_SECONDS) return value
  const expected = `a number of seconds above 0, at most ${LONGEST_TIMEOUT_SECONDS}`
  faults.add('rateLimit.timeoutSeconds', expected, describe(value))
  return 2
}

/** What an endpoint's limit may be set with, and how to tell. */
const SETTABLE: Record<
  keyof EndpointLimit,
  readonly [expected: string, accepts: (value: unknown) => boolean]
> = {
  windowMs: ['a positive whole number of milliseconds', isPositive],
  limit: [
    'a positive whole number, or a function',
    (value) => isPositive(value) || typeof value === 'function',
  ],
  skip: ['a function', (value) => typeof value === 'function'],
}

function readLimit(path: string, value: unknown, faults: Faults): EndpointLimit | undefined {
  if (value === undefined) return DEFAULT_LIMIT
  if (value === false) return undefined
  if (!isObject(value)) {
    faults.add(path, 'false, or options of express-rate-limit', describe(value))
    return undefined
  }
  faults.addUnknownNames(path, value, Object.keys(SETTABLE))
  for (const [name, [expected, accepts]] of Object.entries(SETTABLE)) {
    if (value[name] !== undefined && !accepts(value[name]))
      faults.add(join(path, name), expected, describe(value[name]))
  }
  const said = Object.entries(value).filter(([, setting]) => setting !== undefined)
  return { ...DEFAULT_LIMIT, ...Object.fromEntries(said) }
}

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0
}
