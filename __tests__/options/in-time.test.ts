import { Keyv } from 'keyv'
import type { ProposedRegistration } from '../../lib/ports/rules.js'
import type { ProvisioningStore } from '../../lib/ports/store.js'
import { keyvClientRegistry } from '../../lib/stores/keyv/keyv.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { keyFor, OVER } from '../support/redis/bench.js'
import { parse } from './faults-of.js'

const never = () => new Promise<never>(() => undefined)

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'performance', 'Date'] })
})
afterEach(() => {
  jest.useRealTimers()
})

/** What a promise does within some seconds of the clock: its error, or `pending`. */
async function within(seconds: number, promise: Promise<unknown>): Promise<unknown> {
  const end = promise.then(
    (answer) => ({ answer }),
    (error: Error) => error.message,
  )
  await jest.advanceTimersByTimeAsync(seconds * 1000)
  return Promise.race([end, 'pending'])
}

const storeOf = (store: ProvisioningStore) => parse({ store }).deployment.store
const registryOf = (clients: unknown) => parse({ clients }).deployment.registry

describe('what is not answered within 10 seconds', () => {
  const LATE = /did not answer within 10 s$/

  it('is rejected by each verb of a store of your own; counts have more time', async () => {
    const verbs = Object.keys(memoryStore()) as (keyof ProvisioningStore)[]
    const store = storeOf(Object.fromEntries(verbs.map((verb) => [verb, never])) as never)
    const call = (verb: keyof ProvisioningStore) =>
      (store[verb] as (...given: unknown[]) => Promise<unknown>)({}, {}, {})
    for (const verb of verbs.filter((one) => one !== 'countKeys')) {
      expect([verb, await within(9.9, call(verb))]).toEqual([verb, 'pending'])
      expect([verb, await within(10, call(verb))]).toEqual([verb, expect.stringMatching(LATE)])
    }
    expect(await within(20, call('countKeys'))).toBe('pending')
  })

  it('is rejected by a lookup function and by a registry of your own', async () => {
    expect(await within(10, registryOf(never).find('a'))).toMatch(LATE)
    const registry = registryOf({ find: never, save: never, delete: never })
    const client = { clientId: 'a', revision: 1, authenticationMethods: [] }
    expect(await within(10, registry.find('a'))).toMatch(LATE)
    expect(await within(10, registry.save(client))).toMatch(LATE)
    expect(await within(10, registry.delete('a'))).toMatch(LATE)
  })

  it('is rejected by a registration policy and by the functions of rateLimit', async () => {
    const { deployment, rateLimits } = parse({
      registration: { policies: { mine: never } },
      rateLimit: { token: { limit: never, skip: never } },
    })
    const policy = deployment.registration.policies.get('mine')
    const { limit, skip } = rateLimits.of('token') ?? {}
    expect(await within(10, Promise.resolve(policy?.({} as ProposedRegistration)))).toMatch(LATE)
    if (typeof limit !== 'function' || skip === undefined) throw new Error('expected functions')
    expect(await within(10, Promise.resolve(limit({} as never, {} as never)))).toMatch(LATE)
    expect(await within(10, Promise.resolve(skip({} as never, {} as never)))).toMatch(LATE)
  })

  it('is at most 10,000 calls: one more is rejected immediately', async () => {
    const registry = registryOf(never)
    const calls = Array.from({ length: 10_000 }, () => registry.find('a').catch(() => undefined))
    await expect(registry.find('a')).rejects.toThrow('has not answered 10000 earlier calls')
    await within(10, Promise.all(calls))
    await expect(registry.find('a')).rejects.toThrow('has not answered 10000 earlier calls')
  })
})

describe('the time limits of our own adapters', () => {
  it('stay as their options say', async () => {
    const store = storeOf(redisStore({ sendCommand: never, timeoutSeconds: 30, advise: () => undefined }))
    expect(await within(29, store.find(keyFor('a')))).toBe('pending')
    expect(await within(30, store.find(keyFor('a')))).toBe('Redis did not answer within 30 s')
    const keyv = Object.assign(new Keyv({ throwOnErrors: true }), { get: never })
    const registry = registryOf(keyvClientRegistry(keyv, { lock: 'process', timeoutSeconds: 30 }))
    expect(await within(29, registry.find('a'))).toBe('pending')
    expect(await within(30, registry.find('a'))).toMatch(/did not answer within 30 s$/)
  })

  it('do not pass to a copy with other functions', async () => {
    const redis = redisStore({ sendCommand: never, timeoutSeconds: 30, advise: () => undefined })
    expect(await within(10, storeOf({ ...redis, find: never }).find(keyFor('a')))).toMatch(/within 10 s$/)
  })

  it('hold for the lock of a Keyv, after which the change would come too late', async () => {
    const registry = keyvClientRegistry(new Keyv({ throwOnErrors: true }), {
      lock: { useOnce: never },
      timeoutSeconds: 3,
    })
    const client = { clientId: 'a', revision: 1, authenticationMethods: [] }
    expect(await within(6, registry.save(client))).toMatch(/locks clients did not answer within 6 s$/)
  })
})

describe('an answer of a store of your own that comes too late', () => {
  const ATTEMPT = 'one'

  it.each([
    ['to a new attempt', 'issued'],
    ['to an attempt that had resumed the redemption', 'redeeming'],
  ])('gives the reservation back: %s', async (_, state) => {
    const memory = memoryStore()
    const key = keyFor('a')
    await memory.record(key, { outstanding: 10 })
    if (state === 'redeeming') await memory.redeem(key, 'zero', OVER)
    const store = storeOf({
      ...memory,
      async redeem(...given) {
        const answer = await memory.redeem(...given)
        await new Promise((resolve) => setTimeout(resolve, 11_000))
        return answer
      },
    })
    const redeeming = within(10, store.redeem(key, ATTEMPT, OVER))
    expect(await redeeming).toMatch(/did not answer/)
    await jest.advanceTimersByTimeAsync(1_000)
    expect(await memory.find(key)).toMatchObject({ state })
    expect(await memory.release(key, ATTEMPT)).toBe('lost')
    expect(await memory.redeem(key, 'two', OVER)).toBe(state === 'issued' ? 'reserved' : 'resumed')
  })
})
