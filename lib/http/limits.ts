import type { Request, Response } from 'express'
import {
  ipKeyGenerator,
  type RateLimitRequestHandler,
  rateLimit,
  type Store,
  type ValueDeterminingMiddleware,
} from 'express-rate-limit'
import { ProvisioningError } from '../base/errors.js'
import { describe } from '../base/faults.js'
import { ipAddress } from '../base/network.js'
import { privateNotes } from '../base/private-notes.js'
import type { EndpointLimit, LimitedEndpoint, RateLimits } from '../options/rate-limits.js'

/**
 * The limits of one endpoint. Each rejects with `too_many_requests`, or is `undefined` without a limit. A request counts
 * once, even in several routers.
 */
export interface Limiter {
  /** Counts the request against its address. Call it before any costly work. */
  byAddress(req: Request, res: Response): Promise<void> | undefined
  /** Counts it against its client. Call it after authentication, so that no stranger can use up the limit. */
  byClient(req: Request, res: Response, clientId: string): Promise<void> | undefined
  /** Counts it against its key: one copied key must not use up the limit of the whole client. */
  byKey(req: Request, res: Response, jti: string): Promise<void> | undefined
}

export const UNLIMITED: Limiter = {
  byAddress: () => undefined,
  byClient: () => undefined,
  byKey: () => undefined,
}

/** @param store makes the store of a limiter from its name; `undefined`: the limiter counts in memory */
export function limiter(
  limits: RateLimits,
  endpoint: LimitedEndpoint,
  store: MakeStore | undefined,
): Limiter {
  const options = limits.of(endpoint)
  if (options === undefined) return UNLIMITED
  const notes = privateNotes<LimiterNotes>(() => ({}))
  const addresses = make(store, options, `${endpoint}-address`, (req) =>
    // Invalid addresses share one counter, so that their text never becomes a name in the store.
    ipKeyGenerator(ipAddress(req.ip) ?? ''),
  )
  const perCaller = make(store, options, `${endpoint}-client`, (req) => notes(req).caller ?? '')
  const countCaller = (req: Request, res: Response, caller: string) => {
    notes(req).caller = caller
    return run(perCaller, req, res)
  }
  return {
    byAddress(req, res) {
      const own = notes(req)
      own.counting ??= run(addresses, req, res)
      return own.counting
    },
    byClient: (req, res, clientId) => countCaller(req, res, `client ${clientId}`),
    byKey: (req, res, jti) => countCaller(req, res, `key ${jti}`),
  }
}

interface LimiterNotes {
  /** The client or the key that sends it. */
  caller?: string
  /** Counts it against its address. */
  counting?: Promise<void>
}

export type MakeStore = (name: string) => Store

function make(
  makeStore: MakeStore | undefined,
  options: EndpointLimit,
  name: string,
  keyGenerator: (req: Request) => string,
) {
  return rateLimit({
    ...options,
    ...(typeof options.limit === 'function' && { limit: checkedLimit(options.limit) }),
    ...(makeStore !== undefined && { store: makeStore(name) }),
    identifier: name,
    keyGenerator,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // Its checks print to the console. They concern `trust proxy`, which `httpsGuard` validates.
    validate: false,
    requestPropertyName: 'provisioningRateLimit',
    passOnStoreError: false,
    handler(_req, res, next) {
      const retryAfterSeconds = Number(res.getHeader('Retry-After'))
      // The refusal sets this header itself. A replay must not get it, because a retry is useless.
      res.removeHeader('Retry-After')
      next(tooMany(retryAfterSeconds))
    },
  })
}

/** No count is above `undefined` or NaN, so such an answer of the host would switch the limit off. */
function checkedLimit(limit: ValueDeterminingMiddleware<number>): ValueDeterminingMiddleware<number> {
  return async (req, res) => {
    const most: unknown = await limit(req, res)
    if (typeof most === 'number' && most >= 0) return most
    throw new Error(`rateLimit: limit() must return a number, got ${describe(most)}`)
  }
}

function tooMany(retryAfterSeconds: number): ProvisioningError {
  return new ProvisioningError('too_many_requests', 'Too many requests; try again later.', {
    disclosed: true,
    facts: { retryAfterSeconds },
  })
}

/** Refuses the request if the store does not answer. Otherwise breaking the store would switch limits off. */
async function run(limit: RateLimitRequestHandler, req: Request, res: Response): Promise<void> {
  const refusal = await new Promise<unknown>((resolve) => limit(req, res, resolve))
  if (refusal === undefined) return
  if (refusal instanceof ProvisioningError) throw refusal
  const options = { cause: refusal }
  throw new ProvisioningError('store_unavailable', 'The rate limiter failed or did not answer.', options)
}
