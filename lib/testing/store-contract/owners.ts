import type { Lease } from '../../ports/store.js'
import { hundred, recorded } from './calls.js'
import type { KeyDifferences, Setup, StoreTest } from './setup.js'

export const OURS: Lease = { ownerId: 'jkt:ours', leaseSeconds: 2 }
export const OTHERS: Lease = { ownerId: 'jkt:others', leaseSeconds: 2 }

/** A key that `one` has reserved: for an owner if there is a lease. */
export async function reserved(setup: Setup, lease?: Lease, differences?: KeyDifferences) {
  const key = await recorded(setup, [], differences)
  expect(await setup.store.redeem(key, 'one', lease)).toBe('reserved')
  return key
}

/** After its lease, the owner of a reservation may resume it, and nobody else may. */
export function testOwners(test: StoreTest): void {
  testResuming(test)
  testLosing(test)
  testReleases(test)
  testEnds(test)
}

function testResuming(test: StoreTest): void {
  test('lets nobody resume a reservation before the end of its lease', async (setup) => {
    const key = await reserved(setup, OURS)
    for (const lease of [OURS, OTHERS, undefined])
      expect(await setup.store.redeem(key, 'two', lease)).toBe('redeeming')
    expect(await setup.store.settle(key, 'one', key.retainUntil)).toBe('settled')
  })
  test('lets the owner resume a reservation after its lease, and nobody else', async (setup) => {
    const key = await reserved(setup, OURS)
    await setup.advance(3)
    for (const lease of [OTHERS, undefined])
      expect(await setup.store.redeem(key, 'two', lease)).toBe('redeeming')
    expect(await setup.store.redeem(key, 'two', OURS)).toBe('resumed')
  })
  test('lets exactly one of 100 concurrent attempts resume a reservation', async (setup) => {
    const key = await reserved(setup, OURS)
    await setup.advance(3)
    const answers = await hundred((i) => setup.store.redeem(key, `attempt-${i}`, OURS))
    expect(answers.filter((answer) => answer !== 'redeeming')).toEqual(['resumed'])
    const winner = `attempt-${answers.indexOf('resumed')}`
    expect(await setup.store.settle(key, winner, key.retainUntil)).toBe('settled')
  })
  test('never lets anybody resume a reservation without an owner', async (setup) => {
    const key = await reserved(setup)
    await setup.advance(10)
    for (const lease of [OURS, { ...OURS, ownerId: '' }, { ...OURS, ownerId: 'undefined' }, undefined])
      expect(await setup.store.redeem(key, 'two', lease)).toBe('redeeming')
  })
  for (const leaseSeconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`rejects a lease of ${leaseSeconds} s, and reserves nothing`, async (setup) => {
      const key = await recorded(setup)
      const rejection = setup.store.redeem(key, 'one', { ...OURS, leaseSeconds })
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await setup.store.find(key)).toMatchObject({ state: 'issued' })
    })
  }
}

function testLosing(test: StoreTest): void {
  test('takes the key from an attempt whose reservation was resumed by another one', async (setup) => {
    const { store } = setup
    const key = await reserved(setup, OURS)
    await setup.advance(3)
    await store.redeem(key, 'two', OURS)
    const settlement = { outcome: 'too-late' }
    expect(await store.settle(key, 'one', key.retainUntil, settlement)).toBe('lost')
    expect(await store.release(key, 'one')).toBe('lost')
    expect(await store.settle(key, 'two', key.retainUntil)).toBe('settled')
    expect(await store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
  })
  test('gives a resumed reservation a lease of its own', async (setup) => {
    const key = await reserved(setup, OURS)
    await setup.advance(3)
    await setup.store.redeem(key, 'two', OURS)
    expect(await setup.store.redeem(key, 'three', OURS)).toBe('redeeming')
    await setup.advance(3)
    expect(await setup.store.redeem(key, 'three', OURS)).toBe('resumed')
  })
}

function testReleases(test: StoreTest): void {
  test('lets anybody reserve a released key, as another redemption', async (setup) => {
    const { store } = setup
    const key = await reserved(setup, OURS)
    expect(await store.release(key, 'one')).toBe('released')
    expect(await store.recall(key, OURS.ownerId)).toBeUndefined()
    expect(await store.redeem(key, 'two', OTHERS)).toBe('reserved')
    expect(await store.recall(key, OTHERS.ownerId)).toEqual({ redemption: 'two' })
    expect(await store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  for (const attempt of ['one', 'two'])
    test(`leaves a reservation that ${attempt} resumed to its owner when it is released`, async (setup) => {
      const key = await reserved(setup, OURS)
      await setup.advance(3)
      await setup.store.redeem(key, attempt, OURS)
      await expectLeftToOwner(setup, { key, attempt, hasActed: false })
    })
  test('leaves a reservation to its owner when an attempt releases it that has acted', async (setup) => {
    const { store } = setup
    const key = await reserved(setup, OURS)
    await expectLeftToOwner(setup, { key, attempt: 'one', hasActed: true })
    expect(await store.release(key, 'next')).toBe('released')
    expect(await store.find(key)).toMatchObject({ state: 'redeeming' })
    expect(await store.redeem(key, 'last', OURS)).toBe('resumed')
    expect(await store.settle(key, 'last', key.retainUntil)).toBe('settled')
    expect(await store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
  })
  test('releases a key without an owner also if the attempt has acted', async (setup) => {
    const key = await reserved(setup)
    expect(await setup.store.release(key, 'one', true)).toBe('released')
    expect(await setup.store.find(key)).toMatchObject({ state: 'issued' })
  })
}

interface Release {
  readonly key: Awaited<ReturnType<typeof reserved>>
  readonly attempt: string
  readonly hasActed: boolean
}

/** Releases a key. Expects that only its owner can then reserve it, as the same redemption, with the attempt `next`. */
async function expectLeftToOwner({ store }: Setup, { key, attempt, hasActed }: Release): Promise<void> {
  expect(await store.release(key, attempt, hasActed)).toBe('released')
  expect(await store.find(key)).toMatchObject({ state: 'redeeming' })
  expect(await store.settle(key, attempt, key.retainUntil)).toBe('lost')
  for (const lease of [OTHERS, undefined]) expect(await store.redeem(key, 'next', lease)).toBe('redeeming')
  expect(await store.redeem(key, 'next', OURS)).toBe('resumed')
  expect(await store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
}

function testEnds(test: StoreTest): void {
  test('lets nobody resume or recall a reservation whose key was revoked', async (setup) => {
    const key = await reserved(setup, OURS)
    await setup.advance(3)
    expect(await setup.store.revoke(key)).toBe('revoked')
    expect(await setup.store.redeem(key, 'two', OURS)).toBe('revoked')
    expect(await setup.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  test('lets nobody resume or recall a reservation that revokeIssuedBefore covers', async (setup) => {
    const key = await reserved(setup, OURS)
    await setup.advance(3)
    const { issuedAt: issuedBefore, retainUntil } = key
    await setup.store.revokeIssuedBefore({ issuedBefore, retainUntil })
    expect(await setup.store.redeem(key, 'two', OURS)).toBe('revoked')
    expect(await setup.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  test('lets nobody resume or recall a reservation whose key has expired', async (setup) => {
    const key = await reserved(setup, OURS, { lifetimeSeconds: 4 })
    await setup.advance(6)
    expect(await setup.store.redeem(key, 'two', OURS)).toBe('unknown')
    expect(await setup.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
}
