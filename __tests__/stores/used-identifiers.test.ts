import { memoryStore } from '../../lib/stores/memory/memory.js'
import { identifiersInMemory, sharedLimits } from '../../lib/stores/memory/used-identifiers.js'
import { heapBytes } from '../support/heap.js'
import { itInAll } from '../support/scale.js'

const START = 1_700_000_000

function underTest(maximum = 10) {
  const clock = { seconds: START }
  return { clock, ...identifiersInMemory(sharedLimits(maximum), () => clock.seconds * 1000) }
}

describe('identifiers in memory', () => {
  it('are remembered at the very second of their time, and not a millisecond longer', async () => {
    const { clock, useOnce } = underTest()
    await useOnce('a', START + 10)
    clock.seconds = START + 10
    expect(await useOnce('a', START + 60)).toBe('used')
    clock.seconds = START + 10.001
    expect(await useOnce('a', START + 60)).toBe('first')
  })

  it('are refused with words where their time is over or is no time, and nothing is kept of them', async () => {
    const { useOnce } = underTest(1)
    for (const past of [START, START - 1, -1]) {
      const message = `until: expected a time in the future (now ${START}), got ${past}`
      await expect(useOnce('a', past)).rejects.toThrow(new RangeError(message))
    }
    for (const never of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, undefined, '1']) {
      const message = `until: expected a time in seconds, got ${never}`
      await expect(useOnce('a', never as number)).rejects.toThrow(new RangeError(message))
    }
    expect(await useOnce('a', START + 1)).toBe('first')
  })

  it('are not forgotten when the clock goes back, and used by nobody while it tells no time', async () => {
    const { clock, useOnce } = underTest()
    await useOnce('a', START + 10)
    clock.seconds = START - 500
    expect(await useOnce('a', START + 60)).toBe('used')
    clock.seconds = Number.NaN
    await expect(useOnce('b', START + 60)).rejects.toThrow(RangeError)
    clock.seconds = START
    expect(await useOnce('a', START + 60)).toBe('used')
  })

  it('are not accepted again when the clock was ahead for a moment, and others are', async () => {
    const { clock, useOnce } = underTest()
    for (const id of ['a', 'b']) await useOnce(id, START + 60)
    clock.seconds = START + 3_600
    expect(await useOnce('c', START + 3_660)).toBe('first')
    clock.seconds = START + 1
    for (const id of ['a', 'b']) await expect(useOnce(id, START + 60)).rejects.toThrow('gone back')
    expect(await useOnce('d', START + 61)).toBe('first')
    expect(await useOnce('d', START + 61)).toBe('used')
    expect(await useOnce('c', START + 3_660)).toBe('used')
  })

  it('go in the order of their times, not in that of their coming', async () => {
    const { clock, useOnce } = underTest(3)
    for (const [id, seconds] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const)
      await useOnce(id, START + seconds)
    expect(await useOnce('d', START + 60)).toBe('full')
    clock.seconds = START + 11
    expect(await Promise.all(['a', 'b', 'c'].map((id) => useOnce(id, START + 60)))).toEqual([
      'first',
      'used',
      'used',
    ])
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
  ])('of a store for %i identifiers: case %#', (maximum, given, ...of) => {
    const { maxPerClient, maxPerKey } = sharedLimits(maximum, given)
    expect([maxPerClient, maxPerKey]).toEqual(of)
  })
})

describe('memory and timers of identifiers', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  itInAll('the memory of a full store shrinks while nobody calls', async () => {
    const count = 100_000
    const store = memoryStore({ maxKeys: count })
    const until = Date.now() / 1000 + 60
    for (let i = 0; i < count; i += 1) await store.useOnce(`${'x'.repeat(43)}${i}`, until)
    expect(await store.useOnce('late', until)).toBe('full')
    const full = await heapBytes()
    jest.advanceTimersByTime(75_000)
    expect(full - (await heapBytes())).toBeGreaterThan(50 * count)
    expect(await store.useOnce('late', Date.now() / 1000 + 60)).toBe('first')
  })

  it('have a timer only while there are any', async () => {
    const { useOnce } = identifiersInMemory(sharedLimits(10), () => Date.now())
    expect(jest.getTimerCount()).toBe(0)
    for (const id of ['a', 'b']) await useOnce(id, Date.now() / 1000 + 30)
    expect(jest.getTimerCount()).toBe(1)
    expect(await useOnce('a', Date.now() / 1000 + 30)).toBe('used')
    jest.advanceTimersByTime(20_000)
    expect(jest.getTimerCount()).toBe(1)
    jest.advanceTimersByTime(20_000)
    expect(jest.getTimerCount()).toBe(0)
    await useOnce('a', Date.now() / 1000 + 30)
    expect(jest.getTimerCount()).toBe(1)
  })

  it('start no timer for a refused identifier', async () => {
    const { useOnce } = identifiersInMemory(sharedLimits(10), () => Date.now())
    await expect(useOnce('a', 1)).rejects.toThrow(RangeError)
    expect(jest.getTimerCount()).toBe(0)
  })
})

describe('clients of one registrar', () => {
  const OF_KEY = { clientId: 'child', jti: 'key' }

  it('have half of the store together, and give it back in time', async () => {
    const { clock, useOnce } = underTest(10)
    const use = (id: string, clientId: string) =>
      useOnce(id, START + 10, { clientId, registeredBy: 'registrar' })
    for (const id of ['a', 'b', 'c']) expect(await use(id, 'one')).toBe('first')
    for (const id of ['d', 'e']) expect(await use(id, 'two')).toBe('first')
    expect(await use('f', 'three')).toBe('limited')
    expect(await useOnce('f', START + 10, { clientId: 'registrar' })).toBe('first')
    clock.seconds = START + 11
    expect(await useOnce('g', START + 20, { clientId: 'three', registeredBy: 'registrar' })).toBe('first')
  })

  it('are known from their keys when a proof comes with one', async () => {
    const store = memoryStore({ maxKeys: 10, now: () => START * 1000 })
    const terms = { subject: 'child', scope: ['a'], audience: 'urn:api', issuedAt: START }
    const times = { expiresAt: START + 60, retainUntil: START + 60 }
    const limits = { outstanding: 10, registeredBy: 'registrar' }
    await store.record({ ...OF_KEY, ...terms, ...times }, limits)
    for (let i = 0; i < 5; i += 1) expect(await store.useOnce(`${i}`, START + 60, OF_KEY)).toBe('first')
    const sibling = { clientId: 'sibling', registeredBy: 'registrar' }
    expect(await store.useOnce('late', START + 60, sibling)).toBe('limited')
  })
})
