import { CALL_NAMES, call, type History, hundred, recordAll, recorded, statesOf, textOf } from './calls.js'
import { upTo } from './not-before.js'
import { PLENTY, type StoreTest } from './setup.js'

/** The time of `revokeIssuedBefore` covers later records, only moves forward, and brings no key back. */
export function testNotBeforeOverTime(test: StoreTest): void {
  testLaterRecords(test)
  testForward(test)
  testRetention(test)
  testPlaces(test)
  testPlacesOfRevoked(test)
  testRaces(test)
}

function testLaterRecords(test: StoreTest): void {
  test('covers a key that was being issued, and is recorded afterwards', async (setup) => {
    const { store } = setup
    const key = setup.key()
    await store.revokeIssuedBefore(upTo(key))
    expect(await store.record(key, PLENTY)).toBe('revoked')
    expect(await store.find(key)).toBeUndefined()
    expect(await store.redeem(key, 'one')).toBe('unknown')
    const next = setup.key('next', { issuedAt: key.issuedAt + 1 })
    await store.record(next, PLENTY)
    expect(await store.redeem(next, 'one')).toBe('reserved')
  })
  test('covers a key of the identity that is recorded afterwards, and none of another', async (setup) => {
    await setup.store.revokeIssuedBefore(upTo(setup.key(), { identity: 'device' }))
    const keys = [setup.key('a'), setup.key('b', { subject: 'other' })]
    expect(await recordAll(setup, keys)).toEqual(['revoked', 'recorded'])
  })
}

function testForward(test: StoreTest): void {
  for (const bound of [{}, { identity: 'client' }]) {
    const whose = bound.identity === undefined ? 'all' : 'one identity'
    test(`only moves the time of ${whose} forward`, async (setup) => {
      const { issuedAt } = setup.key()
      const keys = [0, 5, 10].map((by) => setup.key(`${by}`, { issuedAt: issuedAt + by }))
      await recordAll(setup, keys)
      const revoke = (by: number) =>
        setup.store.revokeIssuedBefore(upTo(setup.key(), { ...bound, issuedBefore: issuedAt + by }))
      expect([await revoke(5), await revoke(5), await revoke(0)]).toEqual([
        'revoked',
        'unchanged',
        'unchanged',
      ])
      expect(await statesOf(setup, keys)).toEqual(['revoked', 'revoked', 'issued'])
      expect([await revoke(10), await revoke(9)]).toEqual(['revoked', 'unchanged'])
      expect(await statesOf(setup, keys)).toEqual(['revoked', 'revoked', 'revoked'])
    })
  }
  test('does not forget a time sooner if it is repeated with an earlier retainUntil', async (setup) => {
    const bound = upTo(setup.key())
    await setup.store.revokeIssuedBefore(bound)
    await setup.store.revokeIssuedBefore({ ...bound, retainUntil: setup.nowSeconds() + 2 })
    await setup.advance(3)
    const late = setup.key('late', { issuedAt: bound.issuedBefore })
    expect(await setup.store.record(late, PLENTY)).toBe('revoked')
  })
}

function testRetention(test: StoreTest): void {
  const histories: readonly (readonly [history: History, expected: object])[] = [
    [[], { state: 'revoked' }],
    [['redeem'], { state: 'revoked' }],
    [['redeem', 'settle'], { familyRevoked: true }],
  ]
  for (const [history, expected] of histories) {
    test(`does not bring back a key that outlives retainUntil, after ${textOf(history)}`, async (setup) => {
      const key = await recorded(setup, history)
      await setup.store.revokeIssuedBefore(upTo(key, { retainUntil: setup.nowSeconds() + 2 }))
      await setup.advance(4)
      expect(await setup.store.find(key)).toMatchObject(expected)
    })
  }
}

function testPlaces(test: StoreTest): void {
  test('frees the places of all keys that it covers, and no others', async (setup) => {
    const { issuedAt } = setup.key()
    const keys = ['a', 'b', 'c', 'd'].map((jti) => setup.key(jti))
    const later = ['e', 'f', 'g', 'h', 'i'].map((jti) => setup.key(jti, { issuedAt: issuedAt + 1 }))
    await recordAll(setup, [...keys, ...later.slice(0, 1)])
    await call(setup.store, setup.key('a'), ['redeem'])
    await call(setup.store, setup.key('b'), ['redeem', 'settle'])
    await call(setup.store, setup.key('c'), ['revoke'])
    await setup.store.revokeIssuedBefore(upTo(setup.key(), { issuedBefore: issuedAt }))
    const [r, o] = ['recorded', 'outstanding']
    expect(await recordAll(setup, later.slice(1), 3)).toEqual([r, r, o, o])
  })
  test('frees the places of a client whose keys were for a revoked subject', async (setup) => {
    const keys = ['one', 'two', 'two'].map((subject, i) => setup.key(`${i}`, { subject }))
    await recordAll(setup, keys)
    await setup.store.revokeIssuedBefore(upTo(setup.key(), { identity: 'two' }))
    const more = ['x', 'y', 'z'].map((jti) => setup.key(jti, { subject: 'three' }))
    expect(await recordAll(setup, more, 3)).toEqual(['recorded', 'recorded', 'outstanding'])
  })
}

function testPlacesOfRevoked(test: StoreTest): void {
  test('frees each place only once, also when calls name covered keys, and these expire', async (setup) => {
    const brief = ['a', 'b', 'c'].map((jti) => setup.key(jti, { lifetimeSeconds: 2 }))
    await recordAll(setup, brief)
    await setup.store.revokeIssuedBefore(upTo(setup.key()))
    for (const key of brief.slice(1)) await call(setup.store, key, CALL_NAMES)
    await setup.advance(3)
    const fresh = ['x', 'y', 'z'].map((jti) => setup.key(jti))
    expect(await recordAll(setup, fresh, 2)).toEqual(['recorded', 'recorded', 'outstanding'])
  })
  test('answers revoked, not outstanding, to a covered key, which takes no place', async (setup) => {
    await setup.store.revokeIssuedBefore(upTo(setup.key()))
    const { issuedAt } = setup.key()
    const late = ['a', 'b'].map((jti) => setup.key(jti, { issuedAt: issuedAt - 5 }))
    const next = ['c', 'd'].map((jti) => setup.key(jti, { issuedAt: issuedAt + 5 }))
    const answers = ['recorded', 'revoked', 'revoked', 'outstanding']
    expect(await recordAll(setup, [...next.slice(0, 1), ...late, ...next.slice(1)], 1)).toEqual(answers)
  })
}

function testRaces(test: StoreTest): void {
  test('leaves no key valid, in 100 races with settle and with record', async ({ store, key }) => {
    const race = async (i: number) => {
      const clientId = `client-${i}`
      const one = key(`${i}`, { clientId, issuedAt: key().issuedAt - 1 })
      const isReserved = i % 3 > 0
      if (isReserved) await store.record(one, PLENTY)
      if (isReserved) await store.redeem(one, 'one')
      const act = () => (isReserved ? store.settle(one, 'one', one.retainUntil) : store.record(one, PLENTY))
      const revoke = () => store.revokeIssuedBefore(upTo(key(), { identity: clientId }))
      await Promise.all(i % 2 === 0 ? [act(), revoke()] : [revoke(), act()])
      const found = await store.find(one)
      if (found === undefined) return !isReserved
      return found.state === 'redeemed' ? found.familyRevoked : found.state === 'revoked'
    }
    expect(await hundred(race)).toEqual(Array(100).fill(true))
  })
}
