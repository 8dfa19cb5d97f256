import type { Prove } from './bench.js'

/** An identifier is used once, by one caller, for as long as it is remembered. */
export function proveOnce(prove: Prove): void {
  prove('lets an identifier be used once', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    expect(await store.useOnce('a', until)).toBe('first')
    expect(await store.useOnce('a', until)).toBe('used')
    expect(await store.useOnce('a', until + 60)).toBe('used')
  })
  prove('tells identifiers apart, and from the names of keys', async ({ store, nowSeconds, key }) => {
    const until = nowSeconds() + 60
    await store.record(key('a', { clientId: 'a' }), { outstanding: 1 })
    const ids = ['a', 'A', 'a ', '', '__proto__', 'constructor', '\u00e9', 'e\u0301', 'x'.repeat(256)]
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('first')
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('used')
    expect(await store.find(key('a', { clientId: 'a' }))).toMatchObject({ state: 'issued' })
  })
  prove('lets exactly one of 100 concurrent calls be the first', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    const answers = await Promise.all(Array.from({ length: 100 }, () => store.useOnce('a', until)))
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(1)
    expect(answers.filter((answer) => answer === 'used')).toHaveLength(99)
  })
  prove('remembers an identifier until its time is over, and no longer', async (on) => {
    const until = on.nowSeconds() + 3
    await on.store.useOnce('a', until)
    await on.advance(1)
    expect(await on.store.useOnce('a', until)).toBe('used')
    await on.advance(3)
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('first')
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('used')
  })
  prove('does not remember an identifier longer for being used again', async (on) => {
    await on.store.useOnce('a', on.nowSeconds() + 2)
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('used')
    await on.advance(3)
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('first')
  })
  for (const seconds of [-1, -100_000, Number.NaN, Number.POSITIVE_INFINITY]) {
    prove(`rejects an identifier to be remembered for ${seconds} seconds`, async ({ store, nowSeconds }) => {
      // By name: a store may come from another realm than the test.
      const rejection = store.useOnce('a', nowSeconds() + seconds)
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await store.useOnce('a', nowSeconds() + 60)).toBe('first')
    })
  }
}

/** For a store whose cap is 10. */
export function proveOnceCap(prove: Prove): void {
  prove('answers full to one identifier too many, and evicts none', async (on) => {
    const until = on.nowSeconds() + 60
    const ids = Array.from({ length: 9 }, (_, i) => `id-${i}`)
    await on.store.useOnce('brief', on.nowSeconds() + 2)
    for (const id of ids) expect(await on.store.useOnce(id, until)).toBe('first')
    expect(await on.store.useOnce('late', until)).toBe('full')
    for (const id of ids) expect(await on.store.useOnce(id, until)).toBe('used')
    await on.advance(3)
    expect(await on.store.useOnce('late', until)).toBe('first')
    expect(await on.store.useOnce('later', until)).toBe('full')
  })
}
