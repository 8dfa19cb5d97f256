import { callStore, numericDate } from '../../lib/ports/deployment.js'
import { refusalOf } from '../support/deployed.js'

describe('numericDate', () => {
  it.each([
    [1_700_000_000_000, 1_700_000_000],
    [1_700_000_000_999, 1_700_000_000],
    [0, 0],
    [-1, -1],
  ])('of %d ms is %d, in whole seconds', (milliseconds, seconds) => {
    expect(numericDate({ now: () => milliseconds })).toBe(seconds)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, 'soon'])(
    'refuses rather than to go by a clock that answers %p, with which no key would ever expire',
    async (answer) => {
      const refusal = await refusalOf(() => numericDate({ now: () => answer as number }))
      expect(refusal).toMatchObject({ reason: 'server_fault', disclosed: false })
    },
  )
})

describe('asking', () => {
  it('answers what the store answers', async () => {
    expect(await callStore(async () => 'recorded')).toBe('recorded')
  })

  const cause = new Error('connect ECONNREFUSED')
  it.each([
    ['rejects', () => Promise.reject(cause)],
    [
      'throws',
      () => {
        throw cause
      },
    ],
  ])('refuses with 503 when the store %s, and lets the event know why', async (_, ask) => {
    const refusal = await refusalOf(() => callStore(ask))
    expect(refusal).toMatchObject({
      code: 'temporarily_unavailable',
      reason: 'store_unavailable',
      disclosed: false,
    })
    expect(refusal.cause).toBe(cause)
    expect(refusal.message).not.toContain('ECONNREFUSED')
  })
})
