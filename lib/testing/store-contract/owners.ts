import type { Lease } from '../../ports/store.js'
import { type Bench, PLENTY, type Prove } from './bench.js'

const OURS: Lease = { ownerId: 'jkt:ours', leaseSeconds: 2 }
const OTHERS: Lease = { ownerId: 'jkt:others', leaseSeconds: 2 }

/** A claim that got stuck may be taken over, after its lease, by who has made it, and by nobody else. */
export function proveOwners(prove: Prove): void {
  prove('lets nobody take a claim over before its lease is over', async (on) => {
    const key = await reserved(on, OURS)
    for (const holding of [OURS, OTHERS, undefined])
      expect(await on.store.redeem(key, 'two', holding)).toBe('redeeming')
    expect(await on.store.settle(key, 'one', key.retainUntil)).toBe('settled')
  })
  prove('lets the same holder take a claim over after its lease, and nobody else', async (on) => {
    const key = await reserved(on, OURS)
    await on.advance(3)
    for (const holding of [OTHERS, undefined])
      expect(await on.store.redeem(key, 'two', holding)).toBe('redeeming')
    expect(await on.store.redeem(key, 'two', OURS)).toBe('resumed')
  })
  prove('lets exactly one of 100 concurrent calls take a claim over', async (on) => {
    const key = await reserved(on, OURS)
    await on.advance(3)
    const attempts = Array.from({ length: 100 }, (_, i) => `attempt-${i}`)
    const answers = await Promise.all(attempts.map((attempt) => on.store.redeem(key, attempt, OURS)))
    expect(answers.filter((answer) => answer !== 'redeeming')).toEqual(['resumed'])
    const winner = attempts[answers.indexOf('resumed')] ?? ''
    expect(await on.store.settle(key, winner, key.retainUntil)).toBe('settled')
  })
  prove('takes the claim from an attempt whose claim was taken over', async (on) => {
    const key = await reserved(on, OURS)
    await on.advance(3)
    await on.store.redeem(key, 'two', OURS)
    const settlement = { outcome: 'too-late' }
    expect(await on.store.settle(key, 'one', key.retainUntil, settlement)).toBe('lost')
    expect(await on.store.release(key, 'one')).toBe('lost')
    expect(await on.store.settle(key, 'two', key.retainUntil)).toBe('settled')
    expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
  })
  prove('gives a claim that was taken over a lease of its own', async (on) => {
    const key = await reserved(on, OURS)
    await on.advance(3)
    await on.store.redeem(key, 'two', OURS)
    expect(await on.store.redeem(key, 'three', OURS)).toBe('redeeming')
    await on.advance(3)
    expect(await on.store.redeem(key, 'three', OURS)).toBe('resumed')
  })
  prove('never lets anybody take over a claim without a holder', async (on) => {
    const key = await reserved(on)
    await on.advance(10)
    for (const holding of [OURS, { ...OURS, holder: '' }, { ...OURS, holder: 'undefined' }, undefined])
      expect(await on.store.redeem(key, 'two', holding)).toBe('redeeming')
  })
  prove('lets whoever asks first claim a key that was released, as another redemption', async (on) => {
    const key = await reserved(on, OURS)
    expect(await on.store.release(key, 'one')).toBe('released')
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
    expect(await on.store.redeem(key, 'two', OTHERS)).toBe('reserved')
    expect(await on.store.recall(key, OTHERS.ownerId)).toEqual({ redemption: 'two' })
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  prove('leaves a claim that was taken over to its holder when it is released', async (on) => {
    for (const again of ['one', 'two']) {
      const key = await reserved(on, OURS, again)
      await on.advance(3)
      await on.store.redeem(key, again, OURS)
      expect(await on.store.release(key, again)).toBe('released')
      expect(await on.store.find(key)).toMatchObject({ state: 'redeeming' })
      expect(await on.store.settle(key, again, key.retainUntil)).toBe('lost')
      for (const holding of [OTHERS, undefined])
        expect(await on.store.redeem(key, 'three', holding)).toBe('redeeming')
      expect(await on.store.redeem(key, 'three', OURS)).toBe('resumed')
      expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
    }
  })
  prove('leaves a claim to its holder when an attempt releases it that has acted', async (on) => {
    const key = await reserved(on, OURS)
    expect(await on.store.release(key, 'one', true)).toBe('released')
    expect(await on.store.find(key)).toMatchObject({ state: 'redeeming' })
    expect(await on.store.settle(key, 'one', key.retainUntil)).toBe('lost')
    for (const holding of [OTHERS, undefined])
      expect(await on.store.redeem(key, 'two', holding)).toBe('redeeming')
    expect(await on.store.redeem(key, 'two', OURS)).toBe('resumed')
    expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
    expect(await on.store.release(key, 'two')).toBe('released')
    expect(await on.store.find(key)).toMatchObject({ state: 'redeeming' })
    expect(await on.store.redeem(key, 'three', OURS)).toBe('resumed')
    expect(await on.store.settle(key, 'three', key.retainUntil)).toBe('settled')
    expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
  })
  prove('issues a key again that nobody holds, whether or not the attempt has acted', async (on) => {
    const key = await reserved(on)
    expect(await on.store.release(key, 'one', true)).toBe('released')
    expect(await on.store.find(key)).toMatchObject({ state: 'issued' })
  })
  prove('lets a resumed reservation be revoked as any other', async (on) => {
    const key = await reserved(on, OURS)
    await on.advance(3)
    expect(await on.store.revoke(key)).toBe('revoked')
    expect(await on.store.redeem(key, 'two', OURS)).toBe('revoked')
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  prove('lets nobody take over a claim that a watermark covers, and recalls nothing of it', async (on) => {
    const key = await reserved(on, OURS)
    await on.advance(3)
    const { issuedAt: issuedBefore, retainUntil } = key
    await on.store.revokeIssuedBefore({ issuedBefore, retainUntil })
    expect(await on.store.redeem(key, 'two', OURS)).toBe('revoked')
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  prove('lets nobody take over a claim whose key has expired', async (on) => {
    const key = on.key('key', { lifetimeSeconds: 4 })
    await on.store.record(key, PLENTY)
    await on.store.redeem(key, 'one', OURS)
    await on.advance(6)
    expect(await on.store.redeem(key, 'two', OURS)).toBe('unknown')
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
  for (const leaseSeconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    prove(`refuses a lease of ${leaseSeconds} s, and claims nothing`, async (on) => {
      const key = on.key()
      await on.store.record(key, PLENTY)
      const refused = on.store.redeem(key, 'one', { ...OURS, leaseSeconds })
      await expect(refused).rejects.toThrow(RangeError)
      expect(await on.store.find(key)).toMatchObject({ state: 'issued' })
    })
  }
}

/** What a redemption was settled with is told to its holder, and to nobody else. */
export function proveOutcomes(prove: Prove): void {
  prove('recalls a claim to its holder, by the attempt that reserved first', async (on) => {
    const key = await reserved(on, OURS)
    expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
    await on.advance(3)
    await on.store.redeem(key, 'two', OURS)
    expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one' })
    expect(await on.store.recall(key, OTHERS.ownerId)).toBeUndefined()
  })
  prove('recalls nothing of a key that nobody has reserved, and of none that is unknown', async (on) => {
    await on.store.record(on.key(), PLENTY)
    expect(await on.store.recall(on.key(), OURS.ownerId)).toBeUndefined()
    expect(await on.store.recall(on.key('another'), OURS.ownerId)).toBeUndefined()
  })
  prove('recalls an outcome to its holder as often as asked, and to nobody else', async (on) => {
    const key = await settled(on)
    for (const _ of [1, 2])
      expect(await on.store.recall(key, OURS.ownerId)).toEqual({ redemption: 'one', outcome: 'an-outcome' })
    for (const holder of [OTHERS.ownerId, '', 'undefined', 'null', `${OURS.ownerId} `])
      expect(await on.store.recall(key, holder)).toBeUndefined()
  })
  prove('recalls to nobody what was redeemed without a holder', async (on) => {
    const key = await reserved(on)
    await on.store.settle(key, 'one', key.retainUntil, { outcome: 'an-outcome' })
    for (const holder of [OURS.ownerId, '', 'undefined', 'null'])
      expect(await on.store.recall(key, holder)).toBeUndefined()
  })
  prove('keeps an outcome of 120,000 characters as it is', async (on) => {
    const outcome = 'aZ0-_=+/'.repeat(15_000)
    const key = await settled(on, { outcome })
    expect((await on.store.recall(key, OURS.ownerId))?.outcome).toBe(outcome)
  })
  prove('keeps the outcome of the settlement that took place, and of none after it', async (on) => {
    const key = await settled(on)
    expect(await on.store.settle(key, 'one', key.retainUntil, { outcome: 'another' })).toBe('lost')
    expect((await on.store.recall(key, OURS.ownerId))?.outcome).toBe('an-outcome')
  })
  prove('forgets an outcome with the time of its key, however long the entry is kept', async (on) => {
    const key = await settled(on, { lifetimeSeconds: 6, retainedFor: 60 })
    await on.advance(3)
    expect((await on.store.recall(key, OURS.ownerId))?.outcome).toBe('an-outcome')
    await on.advance(5)
    expect(await on.store.find(key)).toMatchObject({ state: 'redeemed' })
    expect((await on.store.recall(key, OURS.ownerId))?.outcome).toBeUndefined()
  })
  prove('keeps what is said of one key apart from what is said of another', async (on) => {
    const names = ['ab c', 'a bc', 'a:b c', 'a b:c', 'a} b', 'a }b', '__proto__ k', 'k __proto__']
    const keys = names.map((name) => {
      const [clientId = '', jti = ''] = name.split(' ')
      return { record: on.key(jti, { clientId }), name }
    })
    for (const { record, name } of keys) {
      await on.store.record(record, PLENTY)
      await on.store.redeem(record, name, { ownerId: `${name}:holder`, leaseSeconds: 2 })
      await on.store.settle(record, name, record.retainUntil, { outcome: `${name}:outcome` })
    }
    for (const { record, name } of keys) {
      const recalled = { redemption: name, outcome: `${name}:outcome` }
      expect(await on.store.recall(record, `${name}:holder`)).toEqual(recalled)
    }
  })
  prove('tells empty texts from none', async (on) => {
    const key = await reserved(on, { ...OURS, ownerId: '' })
    expect(await on.store.recall(key, '')).toEqual({ redemption: 'one' })
    const settlement = { outcome: '', familyClientId: '' }
    expect(await on.store.settle(key, 'one', key.retainUntil, settlement)).toBe('settled')
    expect(await on.store.recall(key, '')).toEqual({ redemption: 'one', outcome: '' })
    expect(await on.store.find(key)).toMatchObject({ familyClientId: '' })
  })
  prove('tells of an entry which client its redemption brought forth', async (on) => {
    const key = await settled(on, { familyClientId: 'a:client {1}' })
    expect(await on.store.find(key)).toMatchObject({ state: 'redeemed', familyClientId: 'a:client {1}' })
  })
  prove('recalls nothing of a redemption whose family has been revoked', async (on) => {
    const key = await settled(on)
    await on.store.revokeFamily(key)
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
    expect(await on.store.redeem(key, 'two', OURS)).toBe('redeemed')
  })
  prove('recalls nothing of a redemption that a watermark covers', async (on) => {
    const key = await settled(on)
    const { issuedAt: issuedBefore, retainUntil } = key
    await on.store.revokeIssuedBefore({ issuedBefore, retainUntil })
    expect(await on.store.recall(key, OURS.ownerId)).toBeUndefined()
  })
}

async function reserved({ store, key }: Bench, holding?: Lease, jti?: string) {
  const record = key(jti)
  await store.record(record, PLENTY)
  expect(await store.redeem(record, 'one', holding)).toBe('reserved')
  return record
}

interface Settled {
  readonly outcome?: string
  readonly familyClientId?: string
  readonly lifetimeSeconds?: number
  readonly retainedFor?: number
}

async function settled({ store, key }: Bench, given: Settled = {}) {
  const { outcome = 'an-outcome', familyClientId, lifetimeSeconds = 60, retainedFor = 0 } = given
  const record = key('key', { lifetimeSeconds })
  await store.record(record, PLENTY)
  await store.redeem(record, 'one', OURS)
  const settlement = { outcome, ...(familyClientId !== undefined && { familyClientId }) }
  const answer = await store.settle(record, 'one', record.retainUntil + retainedFor, settlement)
  expect(answer).toBe('settled')
  return record
}
