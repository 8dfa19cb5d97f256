import type { AccessTokenIdentity } from '../../lib/index.js'
import { issueInTime } from '../../lib/options/options.js'
import { faultsOf } from './faults-of.js'

const GOOD = { accessToken: 'a', expiresIn: 1 }
const IDENTITY = {} as AccessTokenIdentity

describe('the option issueAccessToken', () => {
  it.each([
    ['https://as.example.com', '"https://as.example.com"'],
    [null, 'null'],
    [{}, 'an object'],
  ])('must be a function: %j', (issueAccessToken, got) => {
    expect(faultsOf({ issueAccessToken: issueAccessToken as never })).toEqual([
      `issueAccessToken: expected a function that returns an access token, got ${got}`,
    ])
  })
})

describe('the limit of its time', () => {
  it('passes on an answer in time, and does not abort its work afterwards', async () => {
    const signals: AbortSignal[] = []
    const issue = issueInTime((_, { signal }) => {
      signals.push(signal)
      return GOOD
    }, 20)
    expect(await issue(IDENTITY)).toBe(GOOD)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(signals[0]?.aborted).toBe(false)
  })

  it('rejects after its time, and aborts the work', async () => {
    const seen: unknown[] = []
    const issue = issueInTime((_, { signal }) => {
      signal.addEventListener('abort', () => seen.push(signal.reason))
      return new Promise(() => undefined)
    }, 20)
    await expect(issue(IDENTITY)).rejects.toThrow('issueAccessToken did not answer within 0.02 s')
    expect(seen).toEqual([expect.any(Error)])
  })

  it('rejects with the error of the function, immediate or late', async () => {
    const thrown = issueInTime(() => {
      throw new Error('one')
    }, 20)
    await expect(thrown(IDENTITY)).rejects.toThrow('one')
    await expect(issueInTime(() => Promise.reject(new Error('two')), 20)(IDENTITY)).rejects.toThrow('two')
  })
})
