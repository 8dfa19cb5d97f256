import type { Options, Store } from 'express-rate-limit'
import { describeSecret } from '../base/faults.js'
import { aFunction, type Members, object, type Reader, rule, seconds } from '../base/schema.js'

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

/** @param endpoints those that exist */
export function rateLimitReader(
  endpoints: readonly LimitedEndpoint[] = LIMITED_ENDPOINTS,
): Reader<RateLimits> {
  const limits = Object.fromEntries(endpoints.map((endpoint) => [endpoint, readLimit])) as {
    readonly [E in LimitedEndpoint]: typeof readLimit
  }
  const readMembers = object<RateLimitOptions>(
    { ...limits, store: aStoreMaker, timeoutSeconds: seconds(0.01, 60) },
    'false, or an object with limits per endpoint',
  )
  return (value, path, noted) => {
    if (value === false) return { of: () => undefined, store: undefined, timeoutSeconds: 0 }
    const { store, timeoutSeconds = 2, ...limits } = readMembers(value, path, noted)
    const of = (endpoint: LimitedEndpoint) => {
      const { [endpoint]: limit = DEFAULT_LIMIT } = limits
      return limit === false ? undefined : limit
    }
    return Object.freeze({ of, store, timeoutSeconds })
  }
}

const aStoreMaker: NonNullable<Members<RateLimitOptions>['store']> = rule(
  'a function that makes a store for each limiter',
  (value) => typeof value === 'function',
  describeSecret,
)

const readLimitMembers = object<EndpointLimit>(
  {
    windowMs: rule('a positive whole number of milliseconds', isPositive),
    limit: rule(
      'a positive whole number, or a function',
      (value) => isPositive(value) || typeof value === 'function',
    ),
    skip: aFunction(),
  },
  'false, or options of express-rate-limit',
)

const readLimit: Reader<false | EndpointLimit> = (value, path, noted) =>
  value === false ? false : { ...DEFAULT_LIMIT, ...readLimitMembers(value, path, noted) }

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0
}
