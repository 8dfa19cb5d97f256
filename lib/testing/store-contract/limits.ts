import { call, type History, hundred, recordAll, statesOf, tally, textOf } from './calls.js'
import { PLENTY, type Setup, type StoreTest } from './setup.js'

/** A client may have a number of outstanding keys. A key that is redeemed, revoked or expired frees one place. */
export function testOutstanding(test: StoreTest): void {
  test('answers outstanding to one key too many, and records nothing', async (setup) => {
    expect(await record(setup, ['a', 'b', 'c'], 2)).toEqual(['recorded', 'recorded', 'outstanding'])
    expect(await setup.store.find(setup.key('c'))).toBeUndefined()
    expect(await setup.store.redeem(setup.key('c'), 'one')).toBe('unknown')
    expect(await record(setup, ['c'], 3)).toEqual(['recorded'])
  })
  test('answers outstanding when the limit is 0', async (setup) => {
    expect(await record(setup, ['a'], 0)).toEqual(['outstanding'])
  })
  test('counts the keys of each client separately', async ({ store, key }) => {
    await store.record(key('a'), { outstanding: 1 })
    const ofAnother = key('b', { clientId: 'another' })
    expect(await store.record(ofAnother, { outstanding: 1 })).toBe('recorded')
    expect(await store.record(key('c'), { outstanding: 1 })).toBe('outstanding')
  })
  test('answers duplicate, not outstanding, to a known jti', async (setup) => {
    expect(await record(setup, ['a', 'a'], 1)).toEqual(['recorded', 'duplicate'])
  })
  testFreedPlaces(test)
}

/** Histories of a key, and how many places they free. */
const FATES: readonly (readonly [history: History, places: 0 | 1])[] = [
  [['redeem'], 0],
  [['redeem', 'release', 'redeem', 'release', 'release'], 0],
  [['redeem', 'settleByOther', 'releaseByOther'], 0],
  [['settle', 'release', 'revokeFamily'], 0],
  [['redeem', 'settle'], 1],
  [['redeem', 'release', 'redeem', 'settle'], 1],
  [['redeem', 'settle', 'settle', 'revoke', 'revokeFamily', 'revokeFamily', 'release'], 1],
  [['revoke'], 1],
  [['revoke', 'revoke', 'redeem', 'settle'], 1],
  [['redeem', 'revoke', 'settle', 'release', 'revoke'], 1],
]

function testFreedPlaces(test: StoreTest): void {
  for (const [history, places] of FATES) {
    test(`frees ${places === 0 ? 'no place' : 'one place'} after ${textOf(history)}`, async (setup) => {
      await record(setup, ['a', 'b'], 2)
      await call(setup.store, setup.key('a'), history)
      const answers = places === 0 ? ['outstanding', 'outstanding'] : ['recorded', 'outstanding']
      expect(await record(setup, ['c', 'd'], 2)).toEqual(answers)
    })
  }
  for (const history of [[], ...FATES.map(([history]) => history)]) {
    test(`has freed one place when a key has expired after ${textOf(history)}`, async (setup) => {
      const brief = setup.key('a', { lifetimeSeconds: 2 })
      await setup.store.record(brief, { outstanding: 2 })
      await record(setup, ['b'], 2)
      await call(setup.store, brief, history)
      await setup.advance(3)
      expect(await record(setup, ['c', 'd'], 2)).toEqual(['recorded', 'outstanding'])
    })
  }
}

const TEN = Array.from({ length: 10 }, (_, i) => `key-${i}`)

/** For a store with a cap of 10 keys. A full store refuses new keys, and keeps all that it has. */
export function testCap(test: StoreTest): void {
  test('answers full to the eleventh key of any client, and evicts nothing', async (setup) => {
    await record(setup, TEN)
    await call(setup.store, setup.key('key-0'), ['revoke'])
    await call(setup.store, setup.key('key-1'), ['redeem', 'settle'])
    expect(await record(setup, ['late'])).toEqual(['full'])
    expect(await setup.store.record(setup.key('late', { clientId: 'another' }), PLENTY)).toBe('full')
    expect(await setup.store.find(setup.key('late'))).toBeUndefined()
    const states = await statesOf(
      setup,
      TEN.map((jti) => setup.key(jti)),
    )
    expect(states).toEqual(['revoked', 'redeemed', ...Array(8).fill('issued')])
  })
  test('answers duplicate, not full, to a known jti', async (setup) => {
    await record(setup, TEN)
    expect(await record(setup, ['key-3'])).toEqual(['duplicate'])
  })
  test('accepts as many new keys as have expired', async (setup) => {
    await record(setup, TEN.slice(0, 8))
    const brief = ['brief-1', 'brief-2'].map((jti) => setup.key(jti, { lifetimeSeconds: 2 }))
    await recordAll(setup, brief)
    expect(await record(setup, ['late'])).toEqual(['full'])
    await setup.advance(3)
    expect(await record(setup, ['x', 'y', 'z'])).toEqual(['recorded', 'recorded', 'full'])
  })
  test('does not count a key that it refused', async (setup) => {
    await recordAll(setup, [setup.key('first', { lifetimeSeconds: 2 })])
    await record(setup, TEN.slice(1))
    await record(setup, ['x', 'key-1', 'y'])
    await setup.advance(3)
    expect(await record(setup, ['x', 'y'])).toEqual(['recorded', 'full'])
  })
  test('records exactly 10 of 100 concurrent keys', async ({ store, key }) => {
    const answers = await hundred((i) => store.record(key(`${i}`), PLENTY))
    expect(tally(answers)).toEqual({ recorded: 10, full: 90 })
  })
}

function record(setup: Setup, jtis: readonly string[], outstanding?: number): Promise<string[]> {
  return recordAll(
    setup,
    jtis.map((jti) => setup.key(jti)),
    outstanding,
  )
}
