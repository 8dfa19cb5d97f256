import { OTHERS, OURS, reserved } from './owners.js'
import { type KeyDifferences, PLENTY, type Setup, type StoreTest } from './setup.js'

const OUTCOME = 'an-outcome'

/** `recall` answers the owner of a reservation or a redemption, and nobody else. */
export function testOutcomes(test: StoreTest): void {
  testRecall(test)
  testNothingToRecall(test)
  testKeptOutcomes(test)
  testTexts(test)
}

function testRecall(test: StoreTest): void {
  test('recalls the first attempt of a reservation to its owner, also after it was resumed', async (setup) => {
    const { store } = setup
    const key = await reserved(setup, OURS)
    expect(await store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
    await setup.advance(3)
    await store.redeem(key, 'two', OURS)
    expect(await store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
    expect(await store.recall(key, OTHERS.ownerId)).toBeUndefined()
  })
  test('recalls an outcome to its owner each time, and to nobody else', async (setup) => {
    const key = await settled(setup)
    for (const _ of [1, 2])
      expect(await setup.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one', outcome: OUTCOME })
    for (const ownerId of [OTHERS.ownerId, '', 'undefined', 'null', `${OURS.ownerId} `])
      expect(await setup.store.recall(key, ownerId)).toBeUndefined()
  })
}

function testNothingToRecall(test: StoreTest): void {
  test('recalls nothing of a key that is not reserved, or unknown', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    expect(await store.recall(key(), OURS.ownerId)).toBeUndefined()
    expect(await store.recall(key('another'), OURS.ownerId)).toBeUndefined()
  })
  test('recalls nothing of a redemption without an owner', async (setup) => {
    const key = await reserved(setup)
    await setup.store.settle(key, 'one', key.retainUntil, { outcome: OUTCOME })
    for (const ownerId of [OURS.ownerId, '', 'undefined', 'null'])
      expect(await setup.store.recall(key, ownerId)).toBeUndefined()
  })
  test('recalls nothing of a redemption whose family was revoked', async (setup) => {
    const key = await settled(setup)
    await setup.store.revokeFamily(key)
    expect(await setup.store.recall(key, OURS.ownerId)).toBeUndefined()
    expect(await setup.store.redeem(key, 'two', OURS)).toBe('redeemed')
  })
  test('recalls nothing of a redemption that revokeIssuedBefore covers', async (setup) => {
    const key = await settled(setup)
    const { issuedAt: issuedBefore, retainUntil } = key
    await setup.store.revokeIssuedBefore({ issuedBefore, retainUntil })
    expect(await setup.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
}

function testKeptOutcomes(test: StoreTest): void {
  test('keeps the outcome of the first settlement', async (setup) => {
    const key = await settled(setup)
    expect(await setup.store.settle(key, 'one', key.retainUntil, { outcome: 'another' })).toBe('lost')
    expect((await setup.store.recall(key, OURS.ownerId))?.outcome).toBe(OUTCOME)
  })
  test('forgets an outcome at the end of the key, even if the entry is kept for longer', async (setup) => {
    const { store } = setup
    const key = await settled(setup, { lifetimeSeconds: 6, retainedForSeconds: 60 })
    await setup.advance(3)
    expect((await store.recall(key, OURS.ownerId))?.outcome).toBe(OUTCOME)
    await setup.advance(5)
    expect(await store.find(key)).toMatchObject({ state: 'redeemed' })
    expect((await store.recall(key, OURS.ownerId))?.outcome).toBeUndefined()
  })
  test('answers the client that a redemption registered or changed', async (setup) => {
    const key = await settled(setup, { familyClientId: 'a:client {1}' })
    expect(await setup.store.find(key)).toMatchObject({ familyClientId: 'a:client {1}' })
  })
}

function testTexts(test: StoreTest): void {
  test('keeps an outcome of 120,000 characters unchanged', async (setup) => {
    const outcome = 'aZ0-_=+/'.repeat(15_000)
    const key = await settled(setup, { outcome })
    expect((await setup.store.recall(key, OURS.ownerId))?.outcome).toBe(outcome)
  })
  test('tells an empty text from a missing one', async (setup) => {
    const { store } = setup
    const key = await reserved(setup, { ...OURS, ownerId: '' })
    expect(await store.recall(key, '')).toEqual({ redemption: 'one' })
    const settlement = { outcome: '', familyClientId: '' }
    expect(await store.settle(key, 'one', key.retainUntil, settlement)).toBe('settled')
    expect(await store.recall(key, '')).toEqual({ redemption: 'one', outcome: '' })
    expect(await store.find(key)).toMatchObject({ familyClientId: '' })
  })
  test('keeps the outcomes of keys apart whose names look alike', async ({ store, key }) => {
    const names = ['ab c', 'a bc', 'a:b c', 'a b:c', 'a} b', 'a }b', '__proto__ k', 'k __proto__']
    const keys = names.map((name) => {
      const [clientId = '', jti = ''] = name.split(' ')
      return { record: key(jti, { clientId }), name }
    })
    for (const { record, name } of keys) {
      await store.record(record, PLENTY)
      await store.redeem(record, name, { ownerId: `${name}:owner`, leaseSeconds: 2 })
      await store.settle(record, name, record.retainUntil, { outcome: `${name}:outcome` })
    }
    for (const { record, name } of keys) {
      const recalled = { redemption: name, outcome: `${name}:outcome` }
      expect(await store.recall(record, `${name}:owner`)).toEqual(recalled)
    }
  })
}

interface SettledDifferences extends KeyDifferences {
  readonly outcome?: string
  readonly familyClientId?: string
  /** For how long after its own end the entry is kept. */
  readonly retainedForSeconds?: number
}

/** A key of ours that was redeemed with an outcome. */
async function settled(setup: Setup, given: SettledDifferences = {}) {
  const { outcome = OUTCOME, familyClientId, retainedForSeconds = 0, ...differences } = given
  const key = await reserved(setup, OURS, differences)
  const settlement = { outcome, ...(familyClientId !== undefined && { familyClientId }) }
  const answer = await setup.store.settle(key, 'one', key.retainUntil + retainedForSeconds, settlement)
  expect(answer).toBe('settled')
  return key
}
