import type { KeyRecord, Lease } from '../../ports/store.js'
import { type Bench, type CallName, call, PLENTY, type Prove } from './bench.js'

const OURS: Lease = { ownerId: 'jkt:ours', leaseSeconds: 2 }

/** Moves, and the calls before them. */
const MOVES: readonly (readonly [before: readonly CallName[], move: CallName])[] = [
  [[], 'redeem'],
  [['redeem'], 'release'],
  [['redeem'], 'settle'],
  [[], 'revoke'],
  [['redeem'], 'revoke'],
]

/** Calls that move nothing. */
const OTHERS: readonly (readonly [before: readonly CallName[], call: CallName])[] = [
  [[], 'settle'],
  [['redeem'], 'redeemByOther'],
  [['redeem'], 'releaseByOther'],
  [['redeem', 'settle'], 'revoke'],
  [['redeem', 'settle'], 'revokeFamily'],
  [['revoke'], 'revoke'],
]

/** An entry says when its key came into its state. */
export function proveChanges(prove: Prove): void {
  prove('says of a key that nobody has moved that it changed when it was issued', async (on) => {
    const key = on.key('key', { issuedAt: on.key().issuedAt - 5 })
    await on.store.record(key, PLENTY)
    expect(await changedAt(on, key)).toBe(key.issuedAt)
  })
  for (const [before, move] of MOVES) {
    prove(`says when ${move} moved a key after ${before.join(', ') || 'it was recorded'}`, async (on) => {
      const key = await recorded(on, before)
      await expectChange(on, key, () => call(on.store, key, [move]))
    })
  }
  for (const [before, name] of OTHERS) {
    prove(`says nothing else after a ${name} that moves nothing, after ${before.join(', ')}`, async (on) => {
      const key = await recorded(on, before)
      const earlier = await changedAt(on, key)
      await on.advance(2)
      await call(on.store, key, [name])
      expect(await changedAt(on, key)).toBe(earlier)
    })
  }
  proveTakenOver(prove)
  prove('says when a key was first reserved, also after releases', async (on) => {
    const key = await recorded(on, [])
    expect((await on.store.find(key))?.reservedAt).toBeUndefined()
    const before = on.nowSeconds()
    await on.store.redeem(key, 'one')
    const first = (await on.store.find(key))?.reservedAt
    expect(first).toBeGreaterThanOrEqual(before)
    for (const attempt of ['one', 'two']) {
      await on.advance(3)
      await on.store.release(key, attempt)
      await on.store.redeem(key, attempt === 'one' ? 'two' : 'three')
      expect(await on.store.find(key)).toMatchObject({ state: 'redeeming', reservedAt: first })
    }
  })
  prove('says nothing else of a key that a watermark covers', async (on) => {
    const key = await recorded(on, ['redeem'])
    const earlier = await changedAt(on, key)
    await on.advance(2)
    await on.store.revokeIssuedBefore({ issuedBefore: key.issuedAt, retainUntil: key.retainUntil })
    expect(await on.store.find(key)).toMatchObject({ state: 'revoked', changedAt: earlier })
  })
}

function proveTakenOver(prove: Prove): void {
  prove('says when a claim was taken over, and when it was released to its holder', async (on) => {
    const key = await recorded(on, [])
    await on.store.redeem(key, 'one', OURS)
    await expectChange(on, key, () => on.store.redeem(key, 'two', OURS))
    await expectChange(on, key, () => on.store.release(key, 'two'))
    expect(await on.store.find(key)).toMatchObject({ state: 'redeeming' })
  })
}

async function recorded({ store, ...on }: Bench, calls: readonly CallName[]): Promise<KeyRecord> {
  const key = on.key()
  await store.record(key, PLENTY)
  await call(store, key, calls)
  return key
}

async function changedAt({ store }: Bench, key: KeyRecord): Promise<number> {
  return (await store.find(key))?.changedAt ?? Number.NaN
}

/** Exact where the clock stands still during a call, and right where it does not. */
async function expectChange(on: Bench, key: KeyRecord, move: () => Promise<unknown>): Promise<void> {
  await on.advance(3)
  const before = on.nowSeconds()
  await move()
  const after = on.nowSeconds()
  const changed = await changedAt(on, key)
  expect(changed).toBeGreaterThanOrEqual(before)
  expect(changed).toBeLessThanOrEqual(after)
}
