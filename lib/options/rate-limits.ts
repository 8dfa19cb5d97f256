import type { Options, Store } from 'express-rate-limit'
import { deadline } from '../base/deadline.js'
import { describeSecret } from '../base/faults.js'
import { aFunction, type Members, object, type Reader, rule, seconds, whole } from '../base/schema.js'

/**
 * The limit of one endpoint. The members are those of express-rate-limit. Its other options are not available, because
 * the answers must conform to OAuth.
 *
 * @example
 * const limit: EndpointLimit = { windowMs: 60_000, limit: 30 }
 */
export interface EndpointLimit {
  /**
   * The length of a window, in milliseconds: 100 to 2,147,483,647 (24 days). Default 60,000.
   * @example 10_000
   */
  readonly windowMs?: Options['windowMs']
  /**
   * The accepted requests per window: a number, or a function of the request. If the function returns no number, the
   * request gets 503. Default 300, for `leaked` 10.
   * @example (req) => (req.ip === '10.0.0.7' ? 600 : 60)
   */
  readonly limit?: Options['limit']
  /**
   * Returns `true` for a request that is not counted. Default: every request is counted.
   * @example (req) => req.ip === '10.0.0.7'
   */
  readonly skip?: Options['skip']
}

/**
 * Limits per endpoint. An endpoint first counts requests per address, before any other work. Then it counts them per
 * authenticated client, or per bound key. `false` removes the limit of an endpoint.
 *
 * @example
 * const rateLimit: RateLimitOptions = { token: { limit: 60 }, introspect: false }
 */
export interface RateLimitOptions {
  /**
   * The token endpoint, for keys and access tokens. Default: 300 requests a minute.
   * @example { limit: 60 }
   */
  readonly token?: false | EndpointLimit
  /**
   * The endpoint `bind`. Default: 300 requests a minute.
   * @example { limit: 10 }
   */
  readonly bind?: false | EndpointLimit
  /**
   * The endpoints that list and revoke bindings. Default: 300 requests a minute.
   * @example { limit: 30 }
   */
  readonly bindings?: false | EndpointLimit
  /**
   * The endpoints that register clients and manage registrations. Default: 300 requests a minute.
   * @example { windowMs: 3_600_000, limit: 20 }
   */
  readonly register?: false | EndpointLimit
  /**
   * The introspection endpoint. Default: 300 requests a minute.
   * @example false
   */
  readonly introspect?: false | EndpointLimit
  /**
   * The revocation endpoint. Default: 300 requests a minute.
   * @example { limit: 60 }
   */
  readonly revoke?: false | EndpointLimit
  /**
   * The endpoint for reports of leaked keys. Everybody may use it. Default: 10 requests a minute.
   * @example { limit: 100 }
   */
  readonly leaked?: false | EndpointLimit
  /**
   * All routes behind `redeemProvisioningKey()`, together. Default: 300 requests a minute.
   * @example { limit: 120 }
   */
  readonly redeem?: false | EndpointLimit
  /**
   * Makes the express-rate-limit store of each limiter. The name is different for each limiter. Default: stores in memory,
   * so each process counts alone.
   * @example (name) => new RedisLimits({ prefix: name, sendCommand: (...command) => redis.sendCommand(command) })
   */
  readonly store?: (name: string) => Store
  /**
   * How long a request waits for that store, in seconds. Then it gets 503. Default 2, at most 60.
   * @example 0.5
   */
  readonly timeoutSeconds?: number
}

export type LimitedEndpoint = Exclude<keyof RateLimitOptions, 'store' | 'timeoutSeconds'>

export const LIMITED_ENDPOINTS = [
  'token',
  'bind',
  'bindings',
  'register',
  'introspect',
  'revoke',
  'leaked',
  'redeem',
] as const satisfies readonly LimitedEndpoint[]

export interface RateLimits {
  readonly of: (endpoint: LimitedEndpoint) => EndpointLimit | undefined
  /** Makes the store of one limiter. Its answers are not checked yet. */
  readonly store: ((name: string) => unknown) | undefined
  readonly timeoutSeconds: number
}

const DEFAULT_LIMIT: EndpointLimit = { windowMs: 60_000, limit: 300 }

/** Nobody authenticates at `leaked`, so only the address limits how many tokens a stranger has verified. */
const OWN_DEFAULTS: { readonly [E in LimitedEndpoint]?: EndpointLimit } = {
  leaked: { windowMs: 60_000, limit: 10 },
}

function defaultLimit(endpoint: LimitedEndpoint): EndpointLimit {
  return OWN_DEFAULTS[endpoint] ?? DEFAULT_LIMIT
}

/** @param endpoints the endpoints of this deployment */
export function rateLimitReader(
  endpoints: readonly LimitedEndpoint[] = LIMITED_ENDPOINTS,
): Reader<RateLimits> {
  const limits = Object.fromEntries(endpoints.map((endpoint) => [endpoint, limitReader(endpoint)])) as {
    readonly [E in LimitedEndpoint]: ReturnType<typeof limitReader>
  }
  const readMembers = object<RateLimitOptions>(
    { ...limits, store: aStoreMaker, timeoutSeconds: seconds(0.01, 60) },
    'false, or an object with limits per endpoint',
  )
  return (value, path, faults) => {
    if (value === false) return { of: () => undefined, store: undefined, timeoutSeconds: 0 }
    const { store, timeoutSeconds = 2, ...limits } = readMembers(value, path, faults)
    const of = (endpoint: LimitedEndpoint) => {
      const { [endpoint]: limit = defaultLimit(endpoint) } = limits
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

/** With a longer timer, Node calls back every millisecond. The counts in memory would then always be 0. */
const LONGEST_WINDOW = 2 ** 31 - 1

/** A smaller number most likely counts seconds. As milliseconds, it would switch the limit off in effect. */
const SHORTEST_WINDOW = 100

const readLimitMembers = object<EndpointLimit>(
  {
    windowMs: whole(SHORTEST_WINDOW, LONGEST_WINDOW, ' milliseconds'),
    limit: rule(
      'a positive whole number, or a function',
      (value) => isPositive(value) || typeof value === 'function',
    ),
    skip: aFunction(),
  },
  'false, or options of express-rate-limit',
)

function limitReader(endpoint: LimitedEndpoint): Reader<false | EndpointLimit> {
  return (value, path, faults) =>
    value === false
      ? false
      : limitInTime({ ...defaultLimit(endpoint), ...readLimitMembers(value, path, faults) })
}

/** Limits the time of the functions: a request waits for them. */
function limitInTime({ limit, skip, ...others }: EndpointLimit): EndpointLimit {
  const run = deadline({ who: 'A function of rateLimit' })
  return {
    ...others,
    ...(limit !== undefined && {
      limit: typeof limit === 'function' ? (req, res) => run(() => limit(req, res)) : limit,
    }),
    ...(skip !== undefined && { skip: (req, res) => run(() => skip(req, res)) }),
  }
}

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0
}
