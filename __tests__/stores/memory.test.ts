import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { ConfigurationError } from '../../lib/base/errors.js'
import { describe as describeValue } from '../../lib/base/faults.js'
import type { KeyRecord } from '../../lib/ports/store.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import type { MemoryStoreOptions } from '../../lib/stores/memory/memory-options.js'
import { storeContract } from '../../lib/testing/store-contract.js'
import { heapBytes } from '../support/heap.js'
import { runProgram, TYPESCRIPT } from '../support/run-program'
import { itInAll, times } from '../support/scale.js'

const START = 1_700_000_000
const PLENTY = { outstanding: 1_000_000 }

function underTest(options: MemoryStoreOptions = {}) {
  const clock = { seconds: START }
  const store = memoryStore({ now: () => clock.seconds * 1000, ...options })
  const nowSeconds = () => clock.seconds
  const advance = async (by: number) => {
    clock.seconds += by
  }
  return { clock, store, nowSeconds, advance }
}

function key(jti: string, retainUntil: number, clientId = 'client'): KeyRecord {
  const times = { issuedAt: START, expiresAt: retainUntil, retainUntil }
  return { clientId, jti, subject: 'device', scope: ['read'], audience: 'urn:api', ...times }
}

storeContract({
  name: 'memoryStore',
  create: async () => underTest(),
  createCapped: async () => underTest({ maxKeys: 10 }),
  createLimited: async () => underTest({ maxProofsPerClient: 5, maxProofsPerKey: 3 }),
})

describe('the options of memoryStore', () => {
  it.each(['maxKeys', 'maxProofsPerKey', 'maxProofsPerClient'])('refuse a %s that is no count', (name) => {
    for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', null])
      expect(() => memoryStore({ [name]: limit })).toThrow(
        new ConfigurationError([`${name}: expected a whole number from 1 on, got ${describeValue(limit)}`]),
      )
  })

  it('are refused with all faults together', () => {
    const options = { maxkeys: 5, maxOutcomeCharacters: -1, now: 0, singleProcess: 'yes' }
    expect(() => memoryStore(options as unknown as MemoryStoreOptions)).toThrow(
      new ConfigurationError([
        'maxkeys: expected a known option; did you mean maxKeys? got an unknown name',
        'maxOutcomeCharacters: expected a whole number from 0 on, got -1',
        'now: expected a function that returns milliseconds since the epoch, such as Date.now, got 0',
        'singleProcess: expected true or false, got "yes"',
      ]),
    )
  })

  itInAll('keeps 100,000 keys when no maxKeys is given', async () => {
    const { store } = underTest()
    for (let i = 0; i < 100_000; i += 1) await store.record(key(`${i}`, START + 60), PLENTY)
    expect(await store.record(key('late', START + 60), PLENTY)).toBe('full')
  })
})

describe('expiry in memoryStore', () => {
  it('finds a key at the very second of its retainUntil, and not a millisecond later', async () => {
    const { store, clock } = underTest()
    await store.record(key('key', START + 10), PLENTY)
    clock.seconds = START + 10
    expect(await store.redeem(key('key', 0), 'one')).toBe('reserved')
    clock.seconds = START + 10.001
    expect(await store.settle(key('key', 0), 'one', START + 100)).toBe('unknown')
  })

  it('tells why it rejects a record whose time has come or is no time', async () => {
    const { store } = underTest()
    for (const past of [START, START - 1]) {
      const message = `retainUntil: expected a time in the future (now ${START}), got ${past}`
      await expect(store.record(key('key', past), PLENTY)).rejects.toThrow(new RangeError(message))
    }
    for (const never of [Number.POSITIVE_INFINITY, Number.NaN]) {
      const message = `retainUntil: expected a time in seconds, got ${never}`
      await expect(store.record(key('key', never), PLENTY)).rejects.toThrow(new RangeError(message))
    }
  })

  it('rejects a past record before it looks whether the jti is known', async () => {
    const { store } = underTest()
    await store.record(key('key', START + 10), PLENTY)
    await expect(store.record(key('key', START - 1), PLENTY)).rejects.toThrow(RangeError)
  })

  it('records nothing while its clock does not tell the time', async () => {
    const { store, clock } = underTest()
    clock.seconds = Number.NaN
    await expect(store.record(key('key', START + 10), PLENTY)).rejects.toThrow(RangeError)
  })

  it('loses no key when the clock goes back, and lets each go in its own time', async () => {
    const { store, clock } = underTest()
    await store.record(key('early', START + 10), PLENTY)
    clock.seconds = START - 500
    await store.record(key('earlier', START - 490), PLENTY)
    const known = async () => [await store.find(key('early', 0)), await store.find(key('earlier', 0))]
    expect((await known()).map((entry) => entry?.jti)).toEqual(['early', 'earlier'])
    clock.seconds = START - 489
    expect((await known()).map((entry) => entry?.jti)).toEqual(['early', undefined])
    clock.seconds = START + 11
    expect(await known()).toEqual([undefined, undefined])
  })

  it('does not bring back a key that had expired when the clock goes back', async () => {
    const { store, clock } = underTest()
    await store.record(key('key', START + 10), PLENTY)
    clock.seconds = START + 11
    expect(await store.redeem(key('key', 0), 'one')).toBe('unknown')
    clock.seconds = START
    expect(await store.redeem(key('key', 0), 'one')).toBe('unknown')
  })

  it('refuses every key while the limit is not a number', async () => {
    const { store } = underTest()
    expect(await store.record(key('key', START + 10), { outstanding: Number.NaN })).toBe('outstanding')
  })
})

describe('memory and timers of memoryStore', () => {
  itInAll('frees the memory of expired keys and of their clients while nobody calls', async () => {
    const count = times({ all: 50_000, few: 10_000 })
    jest.useFakeTimers()
    try {
      const store = memoryStore()
      const until = Date.now() / 1000 + 60
      for (let i = 0; i < count; i += 1) await store.record(key(`${i}`, until, `client-${i}`), PLENTY)
      const full = await heapBytes()
      expect(jest.getTimerCount()).toBe(1)
      jest.advanceTimersByTime(75_000)
      expect(jest.getTimerCount()).toBe(0)
      expect(full - (await heapBytes())).toBeGreaterThan(200 * count)
      expect(await store.find(key('0', 0, 'client-0'))).toBeUndefined()
    } finally {
      jest.useRealTimers()
    }
  })

  it('has a timer only while it holds keys', async () => {
    jest.useFakeTimers()
    try {
      const store = memoryStore()
      expect(jest.getTimerCount()).toBe(0)
      for (const seconds of [30, 90]) {
        await store.record(key(`${seconds}`, Date.now() / 1000 + seconds), PLENTY)
        expect(jest.getTimerCount()).toBe(1)
      }
      jest.advanceTimersByTime(60_000)
      expect(jest.getTimerCount()).toBe(1)
      jest.advanceTimersByTime(60_000)
      expect(jest.getTimerCount()).toBe(0)
      await store.record(key('again', Date.now() / 1000 + 30), PLENTY)
      expect(jest.getTimerCount()).toBe(1)
    } finally {
      jest.useRealTimers()
    }
  })

  it('keeps no process alive', () => {
    const script = `
      const { memoryStore } = require(${JSON.stringify(resolve(__dirname, '../../lib/stores/memory/memory.ts'))})
      const key = ${JSON.stringify(key('key', 0))}
      key.retainUntil = Date.now() / 1000 + 3600
      const store = memoryStore()
      store.useOnce('id', key.retainUntil)
      store.record(key, { outstanding: 1 }).then(console.log)`
    const ended = runProgram(process.execPath, [...TYPESCRIPT, '-e', script])
    expect(ended).toEqual({ status: 0, stdout: 'recorded\n', stderr: '' })
  })
})

describe('the times of revokeIssuedBefore in memoryStore', () => {
  const issuedAt = START
  const revoked = async (store: ReturnType<typeof memoryStore>, jti: string) =>
    (await store.record({ ...key(jti, START + 1_000), issuedAt }, PLENTY)) === 'revoked'

  it('are forgotten after their retainUntil, to the second, when no key was there that could outlive them', async () => {
    for (const identity of [{}, { identity: 'client' }]) {
      const { store, clock } = underTest()
      await store.revokeIssuedBefore({ ...identity, issuedBefore: START, retainUntil: START + 10 })
      clock.seconds = START + 10
      expect(await revoked(store, 'late')).toBe(true)
      clock.seconds = START + 10.001
      expect(await revoked(store, 'later')).toBe(false)
      expect(await store.revokeIssuedBefore({ issuedBefore: START, retainUntil: START + 20 })).toBe('revoked')
    }
  })

  it('outlive the keys that were there, which need not be touched for it', async () => {
    const { store, clock } = underTest()
    await store.record(key('key', START + 1_000), PLENTY)
    await store.revokeIssuedBefore({ issuedBefore: START, retainUntil: START + 10 })
    clock.seconds = START + 1_000
    expect(await store.redeem(key('key', 0), 'one')).toBe('revoked')
  })

  it('of 10 identities are kept at a cap of 10, with the one of all besides', async () => {
    const { store, clock } = underTest({ maxKeys: 10 })
    const raise = (identity: string, seconds = 60) =>
      store.revokeIssuedBefore({ identity, issuedBefore: START, retainUntil: START + seconds })
    for (let i = 0; i < 10; i += 1) expect(await raise(`${i}`, 5 + i)).toBe('revoked')
    expect(await raise('late')).toBe('full')
    expect(await raise('3')).toBe('unchanged')
    expect(await store.revokeIssuedBefore({ issuedBefore: START - 10, retainUntil: START + 60 })).toBe(
      'revoked',
    )
    expect(await store.record(key('key', START + 9, '9'), PLENTY)).toBe('revoked')
    clock.seconds = START + 7
    expect([await raise('late'), await raise('later')]).toEqual(['revoked', 'revoked'])
    expect(await raise('latest')).toBe('full')
  })

  it('tell why they reject a time', async () => {
    const { store } = underTest()
    const raise = (issuedBefore: number, retainUntil: number) =>
      store.revokeIssuedBefore({ issuedBefore, retainUntil })
    const message = `retainUntil: expected a time in the future (now ${START}), got ${START}`
    await expect(raise(START, START)).rejects.toThrow(new RangeError(message))
    const never = 'issuedBefore: expected a time in seconds, got Infinity'
    await expect(raise(Number.POSITIVE_INFINITY, START + 1)).rejects.toThrow(new RangeError(never))
  })
})

describe('what memoryStore shows', () => {
  it('shows its verbs and no records when it is inspected or serialised', async () => {
    const { store } = underTest()
    await store.record(key('a-jti', START + 60, 'a-client'), PLENTY)
    const shown = inspect(store, { showHidden: true, depth: null, getters: true }) + JSON.stringify(store)
    expect(shown).toContain('redeem')
    expect(shown).not.toMatch(/a-jti|a-client|device/)
  })

  it('hands out frozen entries, and cannot be altered itself', async () => {
    const { store } = underTest()
    await store.record(key('key', START + 60), PLENTY)
    const found = await store.find(key('key', 0))
    expect([found, found?.scope, store].map((one) => Object.isFrozen(one))).toEqual([true, true, true])
    expect(await store.find(key('key', 0))).not.toBe(found)
  })
})
