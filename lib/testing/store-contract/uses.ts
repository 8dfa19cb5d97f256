import type { ClientUse } from '../../ports/monitoring-store.js'
import { hundred } from './calls.js'
import { ODD_TEXTS, useOf } from './monitoring.js'
import type { StoreTest } from './setup.js'

/** The last use of each client and binding. */
export function testUses(test: StoreTest): void {
  testLast(test)
  testUnused(test)
  testFaults(test)
  for (const text of ODD_TEXTS) {
    test(`keeps apart the uses of ${JSON.stringify(text)} as client and as binding`, async (setup) => {
      const uses = [
        useOf(setup, text, { network: text }),
        useOf(setup, text, { bindingId: text }),
        useOf(setup, 'client', { bindingId: text }),
      ]
      for (const use of [...uses, useOf(setup, `${text}:${text}`)]) await setup.store.noteUse(use)
      expect(sorted(await setup.store.lastUses(text))).toEqual(sorted(uses.slice(0, 2)))
      expect(await setup.store.lastUses('client')).toEqual(uses.slice(2))
      expect(await setup.store.unusedSince(setup.nowSeconds() + 1, 10)).toHaveLength(4)
    })
  }
}

function sorted(uses: readonly ClientUse[]): readonly ClientUse[] {
  return [...uses].sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
}

function testLast(test: StoreTest): void {
  test('answers the last use of a client, and of each of its bindings', async (setup) => {
    const { lastUsedAt: at } = useOf(setup, 'a')
    const own = useOf(setup, 'a', { lastUsedAt: at + 0.125, network: '192.0.2.0/24' })
    const ofBinding = useOf(setup, 'a', { bindingId: 'laptop', lastUsedAt: at - 5 })
    for (const use of [own, ofBinding, useOf(setup, 'b')]) await setup.store.noteUse(use)
    expect(sorted(await setup.store.lastUses('a'))).toEqual(sorted([own, ofBinding]))
    expect(await setup.store.lastUses('nobody')).toEqual([])
  })
  test('replaces a use by a later one, and not by an earlier one', async (setup) => {
    const { lastUsedAt: at, until } = useOf(setup, 'a')
    await setup.store.noteUse(useOf(setup, 'a', { network: 'first' }))
    await setup.store.noteUse(useOf(setup, 'a', { network: 'earlier', lastUsedAt: at - 1 }))
    expect(await setup.store.lastUses('a')).toEqual([
      useOf(setup, 'a', { network: 'first', lastUsedAt: at, until }),
    ])
    const later = useOf(setup, 'a', { lastUsedAt: at + 1, until: until + 1 })
    await setup.store.noteUse(later)
    expect(await setup.store.lastUses('a')).toEqual([later])
  })
  test('keeps the latest of 100 concurrent uses', async (setup) => {
    const { lastUsedAt: at, until } = useOf(setup, 'a')
    await hundred((i) => setup.store.noteUse(useOf(setup, 'a', { lastUsedAt: at + ((i * 37) % 100), until })))
    expect(await setup.store.lastUses('a')).toEqual([useOf(setup, 'a', { lastUsedAt: at + 99, until })])
  })
  test('forgets a use after its until', async (setup) => {
    const at = Math.floor(setup.nowSeconds())
    await setup.store.noteUse(useOf(setup, 'a', { until: at + 2 }))
    await setup.store.noteUse(useOf(setup, 'a', { bindingId: 'laptop', until: at + 60 }))
    await setup.advance(3)
    expect((await setup.store.lastUses('a')).map(({ bindingId }) => bindingId)).toEqual(['laptop'])
    expect(await setup.store.unusedSince(at + 60, 10)).toHaveLength(1)
    const earlier = useOf(setup, 'a', { lastUsedAt: at - 60 })
    await setup.store.noteUse(earlier)
    expect(sorted(await setup.store.lastUses('a'))).toContainEqual(earlier)
  })
}

function testUnused(test: StoreTest): void {
  test('lists those last used before a time, the longest unused first, and at most limit', async (setup) => {
    const { lastUsedAt: at } = useOf(setup, 'a')
    const clients = Array.from({ length: 40 }, (_, i) => `client-${i}`)
    for (const [i, clientId] of clients.entries())
      await setup.store.noteUse(useOf(setup, clientId, { lastUsedAt: at - ((i * 7) % 40) }))
    const unused = await setup.store.unusedSince(at - 10, 100)
    expect(unused.map(({ lastUsedAt }) => at - lastUsedAt)).toEqual(
      Array.from({ length: 29 }, (_, i) => 39 - i),
    )
    expect(await setup.store.unusedSince(at - 10, 3)).toEqual(unused.slice(0, 3))
    expect(await setup.store.unusedSince(at - 10, 0)).toEqual([])
    expect(await setup.store.unusedSince(at - 39, 100)).toEqual([])
  })
  test('lists a client no longer when it is used again', async (setup) => {
    const { lastUsedAt: at } = useOf(setup, 'a')
    await setup.store.noteUse(useOf(setup, 'a', { lastUsedAt: at - 100 }))
    await setup.store.noteUse(useOf(setup, 'a', { bindingId: 'old', lastUsedAt: at - 90 }))
    await setup.store.noteUse(useOf(setup, 'a'))
    const unused = await setup.store.unusedSince(at - 10, 10)
    expect(unused.map(({ bindingId }) => bindingId)).toEqual(['old'])
  })
}

function testFaults(test: StoreTest): void {
  for (const fault of [{ until: 1 }, { until: Number.NaN }, { lastUsedAt: Number.NaN }]) {
    test(`rejects a use with ${JSON.stringify(Object.keys(fault))} of ${Object.values(fault)}`, async (setup) => {
      const rejection = setup.store.noteUse(useOf(setup, 'a', fault))
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await setup.store.lastUses('a')).toEqual([])
    })
  }
  for (const limit of [-1, 0.5, Number.NaN]) {
    test(`rejects a list of at most ${limit} uses`, async (setup) => {
      const rejection = setup.store.unusedSince(setup.nowSeconds(), limit)
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
    })
  }
}
