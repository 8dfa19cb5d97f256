import type { KeyRecord, Lease } from '../../ports/store.js'
import { type CallName, call, type History, recorded, textOf } from './calls.js'
import type { Setup, StoreTest } from './setup.js'

/** The calls that move a key, each after a history. */
const MOVES: readonly (readonly [before: History, move: CallName])[] = [
  [[], 'redeem'],
  [['redeem'], 'release'],
  [['redeem'], 'settle'],
  [[], 'revoke'],
  [['redeem'], 'revoke'],
]

/** Calls that do not change the state. */
const OTHERS: readonly (readonly [before: History, call: CallName])[] = [
  [[], 'settle'],
  [['redeem'], 'redeemByOther'],
  [['redeem'], 'releaseByOther'],
  [['redeem', 'settle'], 'revoke'],
  [['redeem', 'settle'], 'revokeFamily'],
  [['revoke'], 'revoke'],
]

/** `changedAt` is the time of the last change of the state, and `reservedAt` that of the first reservation. */
export function testChanges(test: StoreTest): void {
  test('answers the issue of a new key as its changedAt', async (setup) => {
    const key = await recorded(setup, [], { issuedAt: setup.key().issuedAt - 5 })
    expect(await changedAt(setup, key)).toBe(key.issuedAt)
  })
  for (const [before, move] of MOVES) {
    test(`answers the time of ${move} as changedAt, after ${textOf(before)}`, async (setup) => {
      const key = await recorded(setup, before)
      await expectChange(setup, key, () => call(setup.store, key, [move]))
    })
  }
  for (const [before, name] of OTHERS) {
    test(`does not change changedAt by ${name} after ${textOf(before)}`, async (setup) => {
      const key = await recorded(setup, before)
      await expectNoChange(setup, key, () => call(setup.store, key, [name]))
    })
  }
  testReservations(test)
  test('does not change changedAt by revokeIssuedBefore', async (setup) => {
    const key = await recorded(setup, ['redeem'])
    const bound = { issuedBefore: key.issuedAt, retainUntil: key.retainUntil }
    await expectNoChange(setup, key, () => setup.store.revokeIssuedBefore(bound))
    expect(await setup.store.find(key)).toMatchObject({ state: 'revoked' })
  })
}

function testReservations(test: StoreTest): void {
  test('answers the time when a reservation was resumed, and when it was left to its owner', async (setup) => {
    const lease: Lease = { ownerId: 'jkt:ours', leaseSeconds: 2 }
    const key = await recorded(setup)
    await setup.store.redeem(key, 'one', lease)
    await expectChange(setup, key, () => setup.store.redeem(key, 'two', lease))
    await expectChange(setup, key, () => setup.store.release(key, 'two'))
    expect(await setup.store.find(key)).toMatchObject({ state: 'redeeming' })
  })
  test('answers the time of the first reservation as reservedAt, also after releases', async (setup) => {
    const { store } = setup
    const key = await recorded(setup)
    expect((await store.find(key))?.reservedAt).toBeUndefined()
    const before = setup.nowSeconds()
    await store.redeem(key, 'one')
    const first = (await store.find(key))?.reservedAt
    expect(first).toBeGreaterThanOrEqual(before)
    for (const attempt of ['one', 'two']) {
      await setup.advance(3)
      await store.release(key, attempt)
      await store.redeem(key, attempt === 'one' ? 'two' : 'three')
      expect(await store.find(key)).toMatchObject({ state: 'redeeming', reservedAt: first })
    }
  })
}

async function changedAt({ store }: Setup, key: KeyRecord): Promise<number> {
  return (await store.find(key))?.changedAt ?? Number.NaN
}

async function expectNoChange(setup: Setup, key: KeyRecord, act: () => Promise<unknown>): Promise<void> {
  const earlier = await changedAt(setup, key)
  await setup.advance(2)
  await act()
  expect(await changedAt(setup, key)).toBe(earlier)
}

/** Compares with the time before and after the call, because a real clock moves in between. */
async function expectChange(setup: Setup, key: KeyRecord, move: () => Promise<unknown>): Promise<void> {
  await setup.advance(3)
  const before = setup.nowSeconds()
  await move()
  const after = setup.nowSeconds()
  const changed = await changedAt(setup, key)
  expect(changed).toBeGreaterThanOrEqual(before)
  expect(changed).toBeLessThanOrEqual(after)
}
