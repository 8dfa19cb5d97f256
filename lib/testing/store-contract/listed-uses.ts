import type { ClientUse, PageQuery } from '../../ports/store.js'
import { NO_PLACES, ODD_TEXTS, useOf } from './monitoring.js'
import type { Setup, StoreTest } from './setup.js'

/** The last uses of clients, the latest first, page by page. */
export function testListedUses(test: StoreTest): void {
  testOrder(test)
  testChanges(test)
  testFaults(test)
}

async function listAll(
  { store }: Setup,
  limit: number,
  between: () => Promise<unknown> = async () => undefined,
): Promise<readonly ClientUse[]> {
  const listed: ClientUse[] = []
  let after: string | undefined
  do {
    const { uses, next } = await store.listUses({ limit, ...(after !== undefined && { after }) })
    expect(uses.length).toBeLessThanOrEqual(limit)
    listed.push(...uses)
    after = next
    await between()
  } while (after !== undefined)
  return listed
}

function clients(uses: readonly ClientUse[]): string[] {
  return uses.map(({ clientId }) => clientId)
}

function testOrder(test: StoreTest): void {
  test('lists the last uses of clients without those of bindings, the latest first', async (setup) => {
    const { lastUsedAt: at } = useOf(setup, 'a')
    const uses = [useOf(setup, 'a', { network: '192.0.2.0/24' }), useOf(setup, 'b', { lastUsedAt: at - 0.5 })]
    expect(await setup.store.listUses({ limit: 10 })).toEqual({ uses: [] })
    for (const use of [uses[1], uses[0], useOf(setup, 'a', { bindingId: 'laptop', lastUsedAt: at + 1 })])
      if (use !== undefined) await setup.store.noteUse(use)
    await setup.store.noteUse(useOf(setup, 'c', { bindingId: 'laptop' }))
    expect(await setup.store.listUses({ limit: 10 })).toEqual({ uses })
  })
  for (const limit of [1, 4, 10, 1_000]) {
    test(`lists each of 10 clients once in pages of ${limit}`, async (setup) => {
      const { lastUsedAt: at } = useOf(setup, 'a')
      const names = Array.from({ length: 10 }, (_, i) => `client-${(i * 7) % 10}`)
      for (const [i, clientId] of names.entries())
        await setup.store.noteUse(useOf(setup, clientId, { lastUsedAt: at - (i % 4) }))
      const listed = await listAll(setup, limit)
      expect(clients(listed).sort()).toEqual(names.sort())
      const times = listed.map(({ lastUsedAt }) => lastUsedAt)
      expect(times).toEqual([...times].sort((one, other) => other - one))
    })
  }
  test('lists clients with any text as their id', async (setup) => {
    for (const text of ODD_TEXTS) await setup.store.noteUse(useOf(setup, text))
    expect(clients(await listAll(setup, 3)).sort()).toEqual([...ODD_TEXTS].sort())
  })
}

function testChanges(test: StoreTest): void {
  test('lists a client that stays exactly once, while others are used', async (setup) => {
    const { lastUsedAt: at } = useOf(setup, 'a')
    const names = Array.from({ length: 20 }, (_, i) => `client-${i}`)
    for (const [i, clientId] of names.entries())
      await setup.store.noteUse(useOf(setup, clientId, { lastUsedAt: at - 100 - (i % 6) }))
    let pages = 0
    const listed = await listAll(setup, 3, async () => {
      pages += 1
      await setup.store.noteUse(useOf(setup, `new-${pages}`))
      await setup.store.noteUse(useOf(setup, `client-${2 * pages}`, { lastUsedAt: at + pages }))
    })
    const stays = names.filter((_, i) => i % 2 === 1)
    expect(
      clients(listed)
        .filter((name) => stays.includes(name))
        .sort(),
    ).toEqual(stays.sort())
  })
  test('lists a client once, with its latest use, and no longer after the until', async (setup) => {
    const at = Math.floor(setup.nowSeconds())
    await setup.store.noteUse(useOf(setup, 'a', { lastUsedAt: at - 5 }))
    const latest = useOf(setup, 'a', { lastUsedAt: at })
    await setup.store.noteUse(latest)
    await setup.store.noteUse(useOf(setup, 'brief', { until: at + 2 }))
    expect(await setup.store.listUses({ limit: 10 })).toMatchObject({ uses: { length: 2 } })
    await setup.advance(3)
    expect(await setup.store.listUses({ limit: 10 })).toEqual({ uses: [latest] })
  })
}

function testFaults(test: StoreTest): void {
  const faults: readonly Partial<PageQuery>[] = [
    ...[0, -1, 1.5, 1_001, Number.NaN].map((limit) => ({ limit })),
    ...NO_PLACES.map((after) => ({ after })),
  ]
  for (const fault of faults) {
    const [name, value] = Object.entries(fault)[0] ?? []
    test(`rejects a list of uses with the ${name} ${JSON.stringify(value)}`, async ({ store }) => {
      const rejection = store.listUses({ limit: 10, ...fault })
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
    })
  }
}
