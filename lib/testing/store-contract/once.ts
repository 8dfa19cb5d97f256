import { hundred, tally } from './calls.js'
import type { StoreTest } from './setup.js'

/** An identifier can be used once, by one caller, until its time is over. */
export function testOnce(test: StoreTest): void {
  test('accepts an identifier once', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    expect(await store.useOnce('a', until)).toBe('first')
    expect(await store.useOnce('a', until)).toBe('used')
    expect(await store.useOnce('a', until + 60)).toBe('used')
  })
  test('tells identifiers apart from each other and from names of keys', async (setup) => {
    const { store, key } = setup
    const until = setup.nowSeconds() + 60
    await store.record(key('a', { clientId: 'a' }), { outstanding: 1 })
    const ids = ['a', 'A', 'a ', '', '__proto__', 'constructor', '\u00e9', 'e\u0301', 'x'.repeat(256)]
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('first')
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('used')
    expect(await store.find(key('a', { clientId: 'a' }))).toMatchObject({ state: 'issued' })
  })
  test('answers first to exactly one of 100 concurrent calls', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    expect(tally(await hundred(() => store.useOnce('a', until)))).toEqual({ first: 1, used: 99 })
  })
  testTimes(test)
}

function testTimes(test: StoreTest): void {
  test('remembers an identifier until its time is over, and no longer', async (setup) => {
    const { store, nowSeconds, advance } = setup
    const until = nowSeconds() + 3
    await store.useOnce('a', until)
    await advance(1)
    expect(await store.useOnce('a', until)).toBe('used')
    await advance(3)
    expect(await store.useOnce('a', nowSeconds() + 60)).toBe('first')
    expect(await store.useOnce('a', nowSeconds() + 60)).toBe('used')
  })
  test('does not remember an identifier for longer if it is used again', async (setup) => {
    const { store, nowSeconds, advance } = setup
    await store.useOnce('a', nowSeconds() + 2)
    expect(await store.useOnce('a', nowSeconds() + 60)).toBe('used')
    await advance(3)
    expect(await store.useOnce('a', nowSeconds() + 60)).toBe('first')
  })
  for (const seconds of [-1, -100_000, Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`rejects an identifier with a time of ${seconds} seconds`, async ({ store, nowSeconds }) => {
      const rejection = store.useOnce('a', nowSeconds() + seconds)
      // By name, because the store may have the RangeError of another realm.
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await store.useOnce('a', nowSeconds() + 60)).toBe('first')
    })
  }
}

/** For a store with a cap of 10 identifiers. */
export function testOnceCap(test: StoreTest): void {
  test('answers full to one identifier too many, and evicts none', async (setup) => {
    const { store, nowSeconds, advance } = setup
    const until = nowSeconds() + 60
    const ids = Array.from({ length: 9 }, (_, i) => `id-${i}`)
    await store.useOnce('brief', nowSeconds() + 2)
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('first')
    expect(await store.useOnce('late', until)).toBe('full')
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('used')
    await advance(3)
    expect(await store.useOnce('late', until)).toBe('first')
    expect(await store.useOnce('later', until)).toBe('full')
  })
}
