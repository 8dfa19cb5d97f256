import { CALL_NAMES, call, entryOf, type History, recorded, textOf } from './calls.js'
import { PLENTY, type Setup, type StoreTest } from './setup.js'

const BRIEF = { lifetimeSeconds: 3 }
const HISTORIES: readonly History[] = [
  [],
  ['redeem'],
  ['redeem', 'settle'],
  ['redeem', 'settle', 'revokeFamily'],
  ['revoke'],
]

/** An entry exists until its `retainUntil` has passed. After that every verb answers as if it had never existed. */
export function testExpiry(test: StoreTest): void {
  for (const history of HISTORIES) testEnd(test, history)
  testOrder(test)
  testRetention(test)
  for (const untilSeconds of [1, -1_000]) testNotShortened(test, untilSeconds)
}

function testEnd(test: StoreTest, history: History): void {
  const past = textOf(history)
  test(`keeps a key until its retainUntil, and no longer, after ${past}`, async (setup) => {
    const key = await recorded(setup, history, BRIEF)
    for (const seconds of [0, 1, 2, 1]) {
      await setup.advance(seconds)
      await expectKeptUntil(setup, key.retainUntil)
    }
  })
  test(`answers unknown to every verb when a key has expired after ${past}`, async (setup) => {
    const key = await recorded(setup, history, BRIEF)
    await setup.advance(4)
    expect(await call(setup.store, key, CALL_NAMES)).toEqual(CALL_NAMES.map(() => 'unknown'))
    expect(await setup.store.find(key)).toBeUndefined()
  })
  test(`records a jti as a new key when it has expired after ${past}`, async (setup) => {
    await recorded(setup, history, BRIEF)
    await setup.advance(4)
    const again = setup.key()
    expect(await setup.store.record(again, PLENTY)).toBe('recorded')
    expect(await setup.store.settle(again, 'one', again.retainUntil)).toBe('lost')
    expect(await setup.store.find(again)).toEqual(entryOf(again))
  })
}

/** Compares with the time before and after the call, because a real clock moves in between. */
async function expectKeptUntil({ store, key, nowSeconds }: Setup, retainUntil: number): Promise<void> {
  const before = nowSeconds()
  const found = await store.find(key())
  const after = nowSeconds()
  if (before > retainUntil) expect(found).toBeUndefined()
  else if (after <= retainUntil) expect(found).toMatchObject({ jti: 'key' })
}

function testOrder(test: StoreTest): void {
  test('forgets keys in the order in which they expire, not in which they were recorded', async (setup) => {
    const { store, key, advance } = setup
    const keys = [60, 2, 61, 5].map((lifetimeSeconds) => key(`${lifetimeSeconds}`, { lifetimeSeconds }))
    for (const one of keys) await store.record(one, PLENTY)
    await advance(3)
    const found = await Promise.all(keys.map((one) => store.find(one)))
    expect(found.map((entry) => entry?.jti)).toEqual(['60', undefined, '61', '5'])
  })
}

function testRetention(test: StoreTest): void {
  test('keeps a redeemed key until the retainUntil of its settlement', async (setup) => {
    const { store } = setup
    const key = await settled(setup, 6)
    await setup.advance(4)
    expect(await store.find(key)).toMatchObject({ state: 'redeemed', retainUntil: key.issuedAt + 6 })
    expect(await call(store, key, ['redeem', 'revokeFamily'])).toEqual(['redeemed', 'revoked'])
    expect(await store.record(setup.key(), PLENTY)).toBe('duplicate')
    await setup.advance(3)
    expect(await store.redeem(key, 'other')).toBe('unknown')
  })
  test('keeps a redeemed key as long if no verb is called in between', async (setup) => {
    const key = await settled(setup, 6)
    for (const seconds of [6, 1]) {
      await setup.advance(seconds)
      await expectKeptUntil(setup, key.issuedAt + 6)
    }
  })
  test('does not keep a key longer for a settlement that is refused', async (setup) => {
    const { store } = setup
    const key = await recorded(setup, ['redeem'], BRIEF)
    expect(await store.settle(key, 'other', key.issuedAt + 60)).toBe('lost')
    await store.revoke(key)
    expect(await store.settle(key, 'one', key.issuedAt + 60)).toBe('revoked')
    await setup.advance(4)
    expect(await store.find(key)).toBeUndefined()
  })
}

function testNotShortened(test: StoreTest, untilSeconds: number): void {
  test(`does not shorten the retention by a settlement until ${untilSeconds} s after issue`, async (setup) => {
    const key = await settled(setup, untilSeconds)
    expect(await setup.store.find(key)).toMatchObject({ retainUntil: key.retainUntil })
    await setup.advance(2)
    expect(await setup.store.redeem(key, 'other')).toBe('redeemed')
    await setup.advance(2)
    expect(await setup.store.redeem(key, 'other')).toBe('unknown')
  })
}

/** A key of three seconds, settled until a time after its issue. */
async function settled(setup: Setup, untilSeconds: number) {
  const key = await recorded(setup, ['redeem'], BRIEF)
  expect(await setup.store.settle(key, 'one', key.issuedAt + untilSeconds)).toBe('settled')
  return key
}
