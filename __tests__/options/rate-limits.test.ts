import type { RateLimitOptions } from '../../lib/options/rate-limits.js'
import { faultsOf, parse } from './faults-of.js'

const limitsOf = (rateLimit: unknown) => parse({ rateLimit }).rateLimits

describe('rate limits', () => {
  it('are 300 a minute for every endpoint but one, unless something else is said', () => {
    const { of, store } = limitsOf({ token: { limit: 5 }, bind: false, redeem: { windowMs: 1000 } })
    expect(of('token')).toEqual({ windowMs: 60_000, limit: 5 })
    expect(of('bind')).toBeUndefined()
    expect(of('redeem')).toEqual({ windowMs: 1000, limit: 300 })
    expect([of('register'), of('introspect'), of('revoke')]).toEqual(
      Array(3).fill({ windowMs: 60_000, limit: 300 }),
    )
    expect(of('leaked')).toEqual({ windowMs: 60_000, limit: 10 })
    expect(limitsOf({ leaked: { windowMs: 1000 } }).of('leaked')).toEqual({ windowMs: 1000, limit: 10 })
    expect(store).toBeUndefined()
  })

  it('are none at all when they are switched off', () => {
    const { of, store } = limitsOf(false)
    expect([of('token'), of('redeem'), store]).toEqual([undefined, undefined, undefined])
  })

  it('keep their defaults where a member is said to be undefined', () => {
    const { of } = limitsOf({ token: { limit: undefined, windowMs: undefined }, bind: undefined })
    expect([of('token'), of('bind')]).toEqual(Array(2).fill({ windowMs: 60_000, limit: 300 }))
  })

  it('ask the maker of stores once for each limiter, by its name', () => {
    const names: string[] = []
    const store = (name: string) => {
      names.push(name)
      return { increment: () => undefined, decrement: () => undefined, resetKey: () => undefined }
    }
    const { store: make } = limitsOf({ store })
    expect(names).toEqual([])
    make?.('token-address')
    expect(names).toEqual(['token-address'])
  })

  it.each([0, -1, 61, Number.NaN, '2', null])('refuse a timeout of %p', (timeoutSeconds) => {
    expect(faultsOf({ rateLimit: { timeoutSeconds } })).toEqual([
      expect.stringMatching(/^rateLimit\.timeoutSeconds: expected a number of seconds from 0.01 to 60, got /),
    ])
  })

  it('accept a timeout', () => {
    expect(faultsOf({ rateLimit: { timeoutSeconds: 0.5 } })).toEqual([])
  })

  it('are not affected by what becomes of the options', () => {
    const rateLimit: { -readonly [N in keyof RateLimitOptions]: unknown } = {
      token: { limit: 5 },
      bind: { limit: 5 },
    }
    const { of } = limitsOf(rateLimit)
    Object.assign(rateLimit.token as object, { limit: 1_000_000 })
    rateLimit.bind = false
    expect([of('token')?.limit, of('bind')?.limit]).toEqual([5, 5])
  })
})
