import type { KeyEntry, KeyQuery, KeyRecord, KeyState } from '../../ports/store.js'
import { call, type History, hundred, recordAll } from './calls.js'
import { lockOf, NO_PLACES, ODD_TEXTS } from './monitoring.js'
import { upTo } from './not-before.js'
import { PLENTY, type Setup, type StoreTest } from './setup.js'

/** Lists have the entries that `find` answers, the latest first, page by page. */
export function testLists(test: StoreTest): void {
  testEntries(test)
  testPresence(test)
  testPages(test)
  testChanges(test)
  testClients(test)
  testStates(test)
  testCounts(test)
  testPageFaults(test)
}

/** Reads all pages. No page may be longer than `limit`. */
async function listAll(
  { store }: Pick<Setup, 'store'>,
  query: KeyQuery,
  between: (page: readonly KeyEntry[]) => Promise<unknown> = async () => undefined,
): Promise<readonly KeyEntry[]> {
  const listed: KeyEntry[] = []
  let { after } = query
  do {
    const { keys, next } = await store.listKeys({ ...query, ...(after !== undefined && { after }) })
    listed.push(...keys)
    after = next
    await between(keys)
  } while (after !== undefined)
  return listed
}

function names(entries: readonly KeyRecord[]): string[] {
  return entries.map(({ clientId, jti }) => JSON.stringify([clientId, jti]))
}

/** Keys of five clients and four seconds. The first ones are the latest. */
function manyKeys({ key }: Setup, count: number): KeyRecord[] {
  const { issuedAt } = key()
  return Array.from({ length: count }, (_, i) => {
    const clientId = `client-${(i * 7) % 5}`
    return key(`key-${(i * 13) % count}`, { clientId, issuedAt: issuedAt - Math.floor((4 * i) / count) })
  })
}

function testEntries(test: StoreTest): void {
  test('lists no keys in an empty store', async ({ store }) => {
    expect(await store.listKeys({ limit: 10 })).toEqual({ keys: [] })
  })
  test('lists entries as find answers them, the latest first', async (setup) => {
    const { store, key } = setup
    const { issuedAt } = key()
    const differences: readonly Partial<KeyRecord>[] = [
      { scope: [], audience: 'urn:a:{b}', issuedAt: issuedAt - 0.5 },
      { confirmation: { jkt: 'thumbprint' }, claimsDigest: 'digest', clientId: 'a' },
      { issuedTo: '192.0.2.0/24', issuedToAgent: 'agent', subject: 'ein Gerät, "№ 7"' },
      { clientId: 'locked', subject: 'a' },
      { retainUntil: issuedAt + 90 },
    ]
    const keys = differences.map((one, i) => key(`${i}`, { issuedAt: issuedAt - i, ...one }))
    const inAnyOrder = [2, 0, 4, 3, 1].flatMap((i) => keys[i] ?? [])
    expect(await recordAll(setup, inAnyOrder)).toEqual(keys.map(() => 'recorded'))
    await store.lock(lockOf(setup, 'locked'))
    await store.notePresentation(key('2'), '198.51.100.0/24')
    await store.redeem(key('4'), 'one')
    await store.settle(key('4'), 'one', issuedAt + 120, { familyClientId: 'registered', outcome: 'sealed' })
    const found = await Promise.all(keys.map((one) => store.find(one)))
    const { keys: listed } = await store.listKeys({ limit: 10 })
    expect(listed).toEqual([0, 1, 2, 3, 4].map((i) => found[i]))
    expect(listed[3]).toMatchObject({ clientId: 'locked', lock: { clientId: 'locked' } })
  })
}

function testPresence(test: StoreTest): void {
  test('lists all of 100 keys that are recorded at the same time', async (setup) => {
    await hundred((i) => setup.store.record(setup.key(`${i}`, { clientId: `client-${i % 7}` }), PLENTY))
    expect(new Set(names((await setup.store.listKeys({ limit: 100 })).keys)).size).toBe(100)
  })
  test('lists a key until it is forgotten, and then no longer', async (setup) => {
    const { store, key, advance } = setup
    const brief = key('brief', { lifetimeSeconds: 3 })
    const settled = key('settled', { lifetimeSeconds: 3 })
    await recordAll(setup, [brief, settled])
    await call(store, settled, ['redeem'])
    await store.settle(settled, 'one', settled.issuedAt + 60)
    expect(await listAll(setup, { limit: 10 })).toHaveLength(2)
    await advance(4)
    expect(names(await listAll(setup, { limit: 10 }))).toEqual(names([settled]))
    const again = key('brief', { issuedAt: settled.issuedAt + 1 })
    await store.record(again, PLENTY)
    expect(names(await listAll(setup, { limit: 1 }))).toEqual(names([again, settled]))
  })
}

function testPages(test: StoreTest): void {
  for (const limit of [1, 4, 9, 10, 1_000]) {
    test(`lists each of 10 keys once, the latest first, in pages of ${limit}`, async (setup) => {
      const keys = manyKeys(setup, 10)
      await recordAll(setup, keys)
      const lengths: number[] = []
      const listed = await listAll(setup, { limit }, async (page) => lengths.push(page.length))
      expect(listed.map(({ issuedAt }) => issuedAt)).toEqual(keys.map(({ issuedAt }) => issuedAt))
      expect(names(listed).sort()).toEqual(names(keys).sort())
      expect(lengths).toEqual(keys.flatMap((_, i) => (i % limit === 0 ? Math.min(limit, 10 - i) : [])))
    })
  }
}

function testChanges(test: StoreTest): void {
  test('lists a key that stays exactly once, while others come, change and go', async (setup) => {
    const { store, key, advance } = setup
    const many = manyKeys(setup, 40)
    const isBrief = (i: number) => i % 3 === 0
    const keys = many.map((one, i) => (isBrief(i) ? { ...one, retainUntil: one.issuedAt + 8 } : one))
    await recordAll(setup, keys)
    let pages = 0
    const listed = await listAll(setup, { limit: 3 }, async () => {
      pages += 1
      if (pages === 2) await advance(10)
      await store.record(key(`new-${pages}`, { clientId: 'client-1' }), PLENTY)
      const changing = keys[(pages * 7) % 40]
      if (changing !== undefined) await store.revoke(changing)
    })
    const stays = names(keys.filter((_, i) => !isBrief(i)))
    expect(names(listed).filter((name) => stays.includes(name))).toHaveLength(stays.length)
    expect(new Set(names(listed))).toEqual(new Set([...names(listed), ...stays]))
  })
  test('continues after a key that is gone', async (setup) => {
    const { store, key, advance } = setup
    const { issuedAt } = key()
    const keys = ['a', 'b', 'c', 'd'].map((jti, i) =>
      key(jti, { issuedAt: issuedAt - i, lifetimeSeconds: i === 1 ? 3 : 60 }),
    )
    await recordAll(setup, keys)
    const { next = '' } = await store.listKeys({ limit: 2 })
    await advance(4)
    expect(names(await listAll(setup, { limit: 1, after: next }))).toEqual(names(keys.slice(2)))
    expect(names((await store.listKeys({ limit: 1, after: next })).keys)).toEqual(names(keys.slice(2, 3)))
  })
}

function testClients(test: StoreTest): void {
  for (const clientId of ['client', ...ODD_TEXTS]) {
    test(`lists only the keys of ${JSON.stringify(clientId)} when asked for this client`, async (setup) => {
      const own = ['', 'a', ':b', clientId].map((jti) => setup.key(jti, { clientId }))
      const others = ['x', ':', ' ', '-'].flatMap((text) => [
        setup.key(text, { clientId: `${clientId}${text}`, subject: clientId }),
        setup.key(clientId, { clientId: `${text}${clientId}` }),
      ])
      await recordAll(setup, [...own, ...others])
      const listed = await listAll(setup, { clientId, limit: 3 })
      expect(names(listed).sort()).toEqual([...new Set(names(own))].sort())
    })
  }
}

const HISTORIES: Record<KeyState, readonly History[]> = {
  issued: [[], ['redeem', 'release']],
  redeeming: [['redeem']],
  redeemed: [
    ['redeem', 'settle'],
    ['redeem', 'settle', 'revokeFamily'],
  ],
  revoked: [['revoke'], ['redeem', 'revoke']],
}
const STATES = Object.keys(HISTORIES) as KeyState[]

/** Records the keys of all histories, by the state that they lead to. */
async function keysOfStates(setup: Setup): Promise<Record<KeyState, KeyRecord[]>> {
  const keys: Record<KeyState, KeyRecord[]> = { issued: [], redeeming: [], redeemed: [], revoked: [] }
  for (const state of STATES)
    for (const [i, history] of HISTORIES[state].entries()) {
      const key = setup.key(`${state}-${i}`, { clientId: `client-${i}` })
      await setup.store.record(key, PLENTY)
      await call(setup.store, key, history)
      keys[state].push(key)
    }
  return keys
}

function testStates(test: StoreTest): void {
  for (const state of STATES) {
    test(`lists only the keys that are ${state} when asked for this state`, async (setup) => {
      const keys = await keysOfStates(setup)
      const listed = await listAll(setup, { state, limit: 1 })
      expect(names(listed).sort()).toEqual(names(keys[state]).sort())
      expect(await listAll(setup, { state, clientId: 'client-9', limit: 10 })).toEqual([])
      const [first] = keys[state]
      const ofClient = await listAll(setup, { state, clientId: 'client-0', limit: 10 })
      expect(names(ofClient)).toEqual(names(first === undefined ? [] : [first]))
    })
  }
  test('lists keys that revokeIssuedBefore covers as find answers them', async (setup) => {
    const { redeemed, ...others } = await keysOfStates(setup)
    await setup.store.revokeIssuedBefore(upTo(setup.key()))
    const revoked = await listAll(setup, { state: 'revoked', limit: 2 })
    expect(names(revoked).sort()).toEqual(names(Object.values(others).flat()).sort())
    const families = await listAll(setup, { state: 'redeemed', limit: 10 })
    expect(families.map(({ familyRevoked }) => familyRevoked)).toEqual(redeemed.map(() => true))
    expect(await listAll(setup, { state: 'issued', limit: 10 })).toEqual([])
  })
}

function testCounts(test: StoreTest): void {
  test('counts keys by their states, and apart those that were not redeemed in time', async (setup) => {
    const { store, key, nowSeconds } = setup
    expect(await store.countKeys()).toEqual({ issued: 0, redeeming: 0, redeemed: 0, revoked: 0, expired: 0 })
    await keysOfStates(setup)
    const late = ['issued', 'redeeming', 'revoked', 'redeemed'].map((jti) =>
      key(`late-${jti}`, { expiresAt: Math.floor(nowSeconds()) - 1 }),
    )
    await recordAll(setup, late)
    await call(store, key('late-redeeming'), ['redeem'])
    await call(store, key('late-revoked'), ['revoke'])
    await call(store, key('late-redeemed'), ['redeem', 'settle'])
    expect(await store.countKeys()).toEqual({ issued: 2, redeeming: 1, redeemed: 3, revoked: 3, expired: 2 })
    await store.revokeIssuedBefore(upTo(key(), { identity: 'client-0' }))
    expect(await store.countKeys()).toEqual({ issued: 1, redeeming: 0, redeemed: 3, revoked: 5, expired: 2 })
    await store.revokeIssuedBefore(upTo(key()))
    expect(await store.countKeys()).toEqual({ issued: 0, redeeming: 0, redeemed: 3, revoked: 8, expired: 0 })
  })
  test('counts a key no longer when it is forgotten', async (setup) => {
    await recordAll(setup, [setup.key('brief', { lifetimeSeconds: 3 }), setup.key('long')])
    await setup.advance(4)
    expect(await setup.store.countKeys()).toMatchObject({ issued: 1, expired: 0 })
  })
}

function testPageFaults(test: StoreTest): void {
  const faults: readonly Partial<Record<keyof KeyQuery, unknown>>[] = [
    ...[0, -1, 1.5, 1_001, Number.NaN].map((limit) => ({ limit })),
    { state: 'unknown' },
    ...NO_PLACES.map((after) => ({ after })),
  ]
  for (const fault of faults) {
    const [name, value] = Object.entries(fault)[0] ?? []
    test(`rejects a list of keys with the ${name} ${JSON.stringify(value)}`, async ({ store }) => {
      const rejection = store.listKeys({ limit: 10, ...fault } as KeyQuery)
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
    })
  }
}
