import { KeyCounter } from '../../lib/administration/key-counts.js'

const COUNTS = { issued: 1, redeeming: 0, redeemed: 0, revoked: 0, expired: 0 }

it('counts again soon after a store has not answered', async () => {
  const answers = [new Promise<never>(() => undefined), Promise.resolve(COUNTS)]
  const store = { countKeys: () => answers.shift() ?? Promise.reject(new Error('asked too often')) }
  const counter = new KeyCounter(store, Date.now, { longestMilliseconds: 100 })
  await expect(counter.count()).rejects.toThrow('The store did not answer within 0.1 s')
  // The same failure serves for 3 seconds, and not for 50 times as long as the store was asked.
  await expect(counter.count()).rejects.toThrow('The store did not answer')
  await new Promise((resolve) => setTimeout(resolve, 3_100))
  expect(await counter.count()).toEqual(COUNTS)
})
