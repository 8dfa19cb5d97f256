import type { Options, Store } from 'express-rate-limit'
import { describe, type Faults, isObject, join } from '../options/faults.js'

/** The endpoints that authenticate a client or redeem a key, and so are limited. */
export const LIMITED_ENDPOINTS = ['token', 'bind', 'register', 'introspect', 'revoke', 'redeem'] as const
export type LimitedEndpoint = (typeof LIMITED_ENDPOINTS)[number]

/** What of express-rate-limit can be set per endpoint; the rest is ours, so that answers stay what OAuth wants. */
export type EndpointLimit = Partial<Pick<Options, 'windowMs' | 'limit' | 'skip'>>

/** Limits per endpoint. Each counts twice: per address, before anything else is done, and per authenticated client. */
export type RateLimitOptions = { readonly [E in LimitedEndpoint]?: false | EndpointLimit } & {
  /** Makes the express-rate-limit store of one limiter; its name tells them apart. Default: in memory. */
  readonly store?: (name: string) => Store
}

export interface RateLimits {
  readonly of: (endpoint: LimitedEndpoint) => EndpointLimit | undefined
  readonly store: ((name: string) => Store) | undefined
}

export const DEFAULT_LIMIT: EndpointLimit = { windowMs: 60_000, limit: 300 }

const SETTABLE = ['windowMs', 'limit', 'skip']

export function readRateLimits(value: unknown, faults: Faults): RateLimits {
  if (value === false) return { of: () => undefined, store: undefined }
  if (value !== undefined && !isObject(value)) {
    faults.add('rateLimit', 'false, or an object with limits per endpoint', describe(value))
  }
  const given = isObject(value) ? value : {}
  faults.addUnknownNames('rateLimit', given, [...LIMITED_ENDPOINTS, 'store'])
  for (const endpoint of LIMITED_ENDPOINTS) readLimit(join('rateLimit', endpoint), given[endpoint], faults)
  if (given.store !== undefined && typeof given.store !== 'function') {
    faults.add('rateLimit.store', 'a function that makes a store for each limiter', describe(given.store))
  }
  return {
    of: (endpoint) =>
      given[endpoint] === false ? undefined : { ...DEFAULT_LIMIT, ...(given[endpoint] as EndpointLimit) },
    store: given.store as RateLimits['store'],
  }
}

function readLimit(path: string, value: unknown, faults: Faults): void {
  if (value === undefined || value === false) return
  if (!isObject(value)) {
    faults.add(path, 'false, or options of express-rate-limit', describe(value))
    return
  }
  faults.addUnknownNames(path, value, SETTABLE)
  for (const name of ['windowMs', 'limit']) {
    const number = value[name]
    const fits =
      number === undefined ||
      (name === 'limit' && typeof number === 'function') ||
      (Number.isInteger(number) && Number(number) > 0)
    if (!fits) faults.add(join(path, name), 'a positive whole number', describe(number))
  }
}
