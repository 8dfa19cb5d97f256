import { type Bench, CALL_NAMES, type CallName, call, entryOf, PLENTY, type Prove } from './bench.js'

const BRIEF = { lifetimeSeconds: 3 }
const HISTORIES: readonly (readonly CallName[])[] = [
  [],
  ['redeem'],
  ['redeem', 'settle'],
  ['redeem', 'settle', 'revokeFamily'],
  ['revoke'],
]

/** An entry is there until its `retainUntil` has passed, and then for nobody. */
export function proveExpiry(prove: Prove): void {
  for (const history of HISTORIES) {
    const past = history.join(', ') || 'it was recorded'
    prove(`keeps a key until its retainUntil, and no longer, after ${past}`, async (on) => {
      const key = on.key('key', BRIEF)
      await on.store.record(key, PLENTY)
      await call(on.store, key, history)
      for (const seconds of [0, 1, 2, 1]) {
        await on.advance(seconds)
        await expectKeptWhileItShouldBe(on, key)
      }
    })
    prove(`answers unknown to every verb when a key has expired after ${past}`, async ({ store, ...on }) => {
      const key = on.key('key', BRIEF)
      await store.record(key, PLENTY)
      await call(store, key, history)
      await on.advance(4)
      expect(await call(store, key, CALL_NAMES)).toEqual(CALL_NAMES.map(() => 'unknown'))
      expect(await store.find(key)).toBeUndefined()
    })
    prove(`records a jti anew when it has expired after ${past}, with no memory of it`, async (on) => {
      const brief = on.key('key', BRIEF)
      await on.store.record(brief, PLENTY)
      await call(on.store, brief, history)
      await on.advance(4)
      const anew = on.key()
      expect(await on.store.record(anew, PLENTY)).toBe('recorded')
      expect(await on.store.settle(anew, 'one', anew.retainUntil)).toBe('lost')
      expect(await on.store.find(anew)).toEqual(entryOf(anew))
    })
  }
  proveOrder(prove)
  proveRetention(prove)
  for (const untilSeconds of [1, -1_000]) proveNotShortened(prove, untilSeconds)
}

/** Exact where the clock stands still between calls, and right where it does not. */
async function expectKeptWhileItShouldBe({ store, nowSeconds }: Bench, key: ReturnType<Bench['key']>) {
  const before = nowSeconds()
  const found = await store.find(key)
  const after = nowSeconds()
  if (before > key.retainUntil) expect(found).toBeUndefined()
  else if (after <= key.retainUntil) expect(found).toMatchObject({ jti: key.jti })
}

function keyFor({ key }: Bench, lifetimeSeconds: number) {
  return key(`${lifetimeSeconds}`, { lifetimeSeconds })
}

function proveOrder(prove: Prove): void {
  prove('lets keys go in the order in which they expire, not in which they came', async (on) => {
    for (const seconds of [60, 2, 61, 5]) await on.store.record(keyFor(on, seconds), PLENTY)
    await on.advance(3)
    const found = [60, 2, 61, 5].map((seconds) => on.store.find(keyFor(on, seconds)))
    expect((await Promise.all(found)).map((entry) => entry?.jti)).toEqual(['60', undefined, '61', '5'])
  })
}

function proveRetention(prove: Prove): void {
  prove('keeps a redeemed key for as long as its settling says, so that a replay is known', async (on) => {
    const key = await settled(on, 6)
    await on.advance(4)
    expect(await on.store.find(key)).toMatchObject({ state: 'redeemed', retainUntil: key.issuedAt + 6 })
    expect(await call(on.store, key, ['redeem', 'revokeFamily'])).toEqual(['redeemed', 'revoked'])
    expect(await on.store.record(on.key(), PLENTY)).toBe('duplicate')
    await on.advance(3)
    expect(await on.store.redeem(key, 'other')).toBe('unknown')
  })
  prove('keeps a redeemed key that nobody asked for until the very time its settling says', async (on) => {
    const key = await settled(on, 6)
    for (const seconds of [6, 1]) {
      await on.advance(seconds)
      await expectKeptWhileItShouldBe(on, { ...key, retainUntil: key.issuedAt + 6 })
    }
  })
  prove('does not keep a key longer for a settling that was refused', async (on) => {
    const key = on.key('key', BRIEF)
    await on.store.record(key, PLENTY)
    await on.store.redeem(key, 'one')
    expect(await on.store.settle(key, 'other', key.issuedAt + 60)).toBe('lost')
    await on.store.revoke(key)
    expect(await on.store.settle(key, 'one', key.issuedAt + 60)).toBe('revoked')
    await on.advance(4)
    expect(await on.store.find(key)).toBeUndefined()
  })
}

function proveNotShortened(prove: Prove, untilSeconds: number): void {
  prove(`does not shorten the retention of a key settled until ${untilSeconds} s from issue`, async (on) => {
    const key = await settled(on, untilSeconds)
    expect(await on.store.find(key)).toMatchObject({ retainUntil: key.retainUntil })
    await on.advance(2)
    expect(await on.store.redeem(key, 'other')).toBe('redeemed')
    await on.advance(2)
    expect(await on.store.redeem(key, 'other')).toBe('unknown')
  })
}

async function settled({ store, ...on }: Bench, untilSeconds: number) {
  const key = on.key('key', BRIEF)
  await store.record(key, PLENTY)
  await store.redeem(key, 'one')
  expect(await store.settle(key, 'one', key.issuedAt + untilSeconds)).toBe('settled')
  return key
}
