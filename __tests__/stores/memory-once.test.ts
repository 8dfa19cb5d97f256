import { memoryStore } from '../../lib/stores/memory/memory.js'
import { onceSet, sharedLimits } from '../../lib/stores/memory/memory-once.js'
import { heapBytes } from '../support/heap.js'

const START = 1_700_000_000

function underTest(maximum = 10) {
  const clock = { seconds: START }
  return { clock, useOnce: onceSet(sharedLimits(maximum), () => clock.seconds * 1000) }
}

describe('identifiers in memory', () => {
  it('are remembered at the very second of their time, and not a millisecond longer', () => {
    const { clock, useOnce } = underTest()
    useOnce('a', START + 10)
    clock.seconds = START + 10
    expect(useOnce('a', START + 60)).toBe('used')
    clock.seconds = START + 10.001
    expect(useOnce('a', START + 60)).toBe('first')
  })

  it('are refused with words where their time is over or is no time, and nothing is kept of them', () => {
    const { useOnce } = underTest(1)
    for (const past of [START, START - 1, -1]) {
      const message = `until: expected a time in the future (now ${START}), got ${past}`
      expect(() => useOnce('a', past)).toThrow(new RangeError(message))
    }
    for (const never of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, undefined, '1']) {
      const message = `until: expected a time in seconds, got ${never}`
      expect(() => useOnce('a', never as number)).toThrow(new RangeError(message))
    }
    expect(useOnce('a', START + 1)).toBe('first')
  })

  it('are not forgotten when the clock goes back, and used by nobody while it tells no time', () => {
    const { clock, useOnce } = underTest()
    useOnce('a', START + 10)
    clock.seconds = START - 500
    expect(useOnce('a', START + 60)).toBe('used')
    clock.seconds = Number.NaN
    expect(() => useOnce('b', START + 60)).toThrow(RangeError)
    clock.seconds = START
    expect(useOnce('a', START + 60)).toBe('used')
  })

  it('go in the order of their times, not in that of their coming', () => {
    const { clock, useOnce } = underTest(3)
    for (const [id, seconds] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const)
      useOnce(id, START + seconds)
    expect(useOnce('d', START + 60)).toBe('full')
    clock.seconds = START + 11
    expect(['a', 'b', 'c'].map((id) => useOnce(id, START + 60))).toEqual(['first', 'used', 'used'])
  })
})

describe('limits of owners', () => {
  it.each([
    [100_000, {}, 10_000, 1_000],
    [1_000_000, {}, 10_000, 1_000],
    [1_000_000, { maxProofsPerClient: 200_000, maxProofsPerKey: 20_000 }, 100_000, 10_000],
    [2_000, {}, 200, 20],
    [50, {}, 10, 5],
    [50, { maxProofsPerClient: 3, maxProofsPerKey: 2 }, 3, 2],
  ])(
    'of a store for %i identifiers with %j are %i for a client and %i for a key',
    (maximum, given, ...of) => {
      const { maxPerClient, maxPerKey } = sharedLimits(maximum, given)
      expect([maxPerClient, maxPerKey]).toEqual(of)
    },
  )
})

describe('memory and timers of identifiers', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('the memory of 100,000 shrinks while nobody calls', async () => {
    const store = memoryStore()
    const until = Date.now() / 1000 + 60
    for (let i = 0; i < 100_000; i += 1) await store.useOnce(`${'x'.repeat(43)}${i}`, until)
    expect(await store.useOnce('late', until)).toBe('full')
    const full = await heapBytes()
    jest.advanceTimersByTime(75_000)
    expect(full - (await heapBytes())).toBeGreaterThan(5_000_000)
    expect(await store.useOnce('late', Date.now() / 1000 + 60)).toBe('first')
  })

  it('have a timer only while there are any', () => {
    const useOnce = onceSet(sharedLimits(10), () => Date.now())
    expect(jest.getTimerCount()).toBe(0)
    for (const id of ['a', 'b']) useOnce(id, Date.now() / 1000 + 30)
    expect(jest.getTimerCount()).toBe(1)
    expect(useOnce('a', Date.now() / 1000 + 30)).toBe('used')
    jest.advanceTimersByTime(20_000)
    expect(jest.getTimerCount()).toBe(1)
    jest.advanceTimersByTime(20_000)
    expect(jest.getTimerCount()).toBe(0)
    useOnce('a', Date.now() / 1000 + 30)
    expect(jest.getTimerCount()).toBe(1)
  })

  it('make no timer by what is refused', () => {
    const useOnce = onceSet(sharedLimits(10), () => Date.now())
    expect(() => useOnce('a', 1)).toThrow(RangeError)
    expect(jest.getTimerCount()).toBe(0)
  })
})
