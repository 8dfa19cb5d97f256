import type { Lock, LockKind } from '../../ports/monitoring-store.js'
import type { KeyRecord } from '../../ports/store.js'
import { call, recordAll, recorded } from './calls.js'
import { lockOf, ODD_TEXTS } from './monitoring.js'
import { PLENTY, type StoreTest } from './setup.js'

/** A lock of an identity concerns its keys, as client and as subject. */
export function testLocks(test: StoreTest): void {
  testAnswers(test)
  testStates(test)
  testStronger(test)
  testReplaced(test)
  testEnds(test)
  testArguments(test)
  for (const identity of ODD_TEXTS) testIdentity(test, identity)
}

function testAnswers(test: StoreTest): void {
  test('answers locked, lists the lock, and find answers it with the keys of the client', async (setup) => {
    const { store } = setup
    const key = await recorded(setup)
    const lock = lockOf(setup, 'client', 'lock', { reason: '"№ 7" {}', author: 'rule 1', lockedAt: 1.5 })
    expect(await store.lock(lock)).toBe('locked')
    expect(await store.locks()).toEqual([lock])
    expect(await store.find(key)).toEqual(expect.objectContaining({ state: 'issued', lock }))
  })
  test('knows no lock before there is one, and answers unknown to its end', async (setup) => {
    const key = await recorded(setup)
    expect(await setup.store.find(key)).not.toHaveProperty('lock')
    expect(await setup.store.locks()).toEqual([])
    expect(await setup.store.unlock('client')).toBe('unknown')
  })
  test('answers unlocked once, and then the keys are not locked any more', async (setup) => {
    const { store } = setup
    const key = await recorded(setup)
    await store.lock(lockOf(setup, 'client'))
    expect([await store.unlock('client'), await store.unlock('client')]).toEqual(['unlocked', 'unknown'])
    expect(await store.find(key)).not.toHaveProperty('lock')
    expect(await store.locks()).toEqual([])
    expect(await store.record(setup.key('next'), PLENTY)).toBe('recorded')
  })
}

function testStates(test: StoreTest): void {
  for (const history of [['redeem'], ['redeem', 'settle'], ['revoke']] as const) {
    test(`answers the lock with a key in any state, after ${history.join(', ')}`, async (setup) => {
      const key = await recorded(setup, history)
      const before = await setup.store.find(key)
      const lock = lockOf(setup, 'device')
      await setup.store.lock(lock)
      expect(await setup.store.find(key)).toEqual({ ...before, lock })
    })
  }
  test('lets a key move and be revoked although its client is locked', async (setup) => {
    const key = await recorded(setup)
    await setup.store.lock(lockOf(setup, 'client'))
    const answers = ['reserved', 'settled', 'revoked']
    expect(await call(setup.store, key, ['redeem', 'settle', 'revokeFamily'])).toEqual(answers)
  })
}

function testStronger(test: StoreTest): void {
  test('answers the stronger lock if client and subject are locked, or else the longer one', async (setup) => {
    const key = await recorded(setup)
    const lockAs = async (clientId: string, kind: LockKind, seconds: number) => {
      const lock = lockOf(setup, clientId, kind, { until: Math.floor(setup.nowSeconds()) + seconds })
      await setup.store.lock(lock)
      return lock
    }
    const found = async () => (await setup.store.find(key))?.lock
    const longest = await lockAs('device', 'throttle', 90)
    await lockAs('client', 'throttle', 60)
    expect(await found()).toEqual(longest)
    expect(await lockAs('client', 'stepUp', 30)).toEqual(await found())
    expect(await lockAs('device', 'lock', 20)).toEqual(await found())
  })
}

function testReplaced(test: StoreTest): void {
  const kinds: readonly LockKind[] = ['throttle', 'stepUp', 'lock']
  for (const [strength, kind] of kinds.entries()) {
    for (const [newStrength, newKind] of kinds.entries()) {
      for (const seconds of [-5, 0, 5]) {
        const isReplaced = newStrength > strength || (newStrength === strength && seconds >= 0)
        const length = seconds < 0 ? 'shorter' : seconds > 0 ? 'longer' : 'equally long'
        const outcome = isReplaced ? 'locked' : 'unchanged'
        test(`answers ${outcome} to a ${length} ${newKind} of a client with ${kind}`, async (setup) => {
          const present = lockOf(setup, 'client', kind)
          const until = present.until + seconds
          const other = lockOf(setup, 'client', newKind, { until, reason: 'another', author: 'another' })
          await setup.store.lock(present)
          expect(await setup.store.lock(other)).toBe(outcome)
          expect(await setup.store.locks()).toEqual([isReplaced ? other : present])
        })
      }
    }
  }
}

function testEnds(test: StoreTest): void {
  test('forgets a lock after its until, and not before', async (setup) => {
    const { store, key, advance } = setup
    const record = key()
    await store.record(record, PLENTY)
    const lock = lockOf(setup, 'client', 'lock', { until: Math.floor(setup.nowSeconds()) + 3 })
    await store.lock(lock)
    await advance(2)
    if (setup.nowSeconds() <= lock.until) expect((await store.find(record))?.lock).toEqual(lock)
    await advance(2)
    expect(await store.find(record)).not.toHaveProperty('lock')
    expect(await store.locks()).toEqual([])
    expect(await store.unlock('client')).toBe('unknown')
    expect(await store.record(key('next'), PLENTY)).toBe('recorded')
    expect(await store.lock(lockOf(setup, 'client', 'throttle'))).toBe('locked')
  })
  test('keeps a lock that is longer than a time of revokeIssuedBefore, and the other way round', async (setup) => {
    const { store, key, nowSeconds, advance } = setup
    const seconds = Math.floor(nowSeconds())
    const lasting = key('key', { lifetimeSeconds: 60 })
    await store.record(lasting, PLENTY)
    await store.lock(lockOf(setup, 'client', 'lock', { until: seconds + 120 }))
    await store.revokeIssuedBefore({ identity: 'other', issuedBefore: seconds, retainUntil: seconds + 2 })
    await store.revokeIssuedBefore({ identity: 'device', issuedBefore: seconds, retainUntil: seconds + 60 })
    await store.lock(lockOf(setup, 'brief', 'lock', { until: seconds + 2 }))
    await advance(3)
    expect(await store.find(lasting)).toMatchObject({ state: 'revoked', lock: { clientId: 'client' } })
    expect((await store.locks()).map(({ clientId }) => clientId)).toEqual(['client'])
  })
}

function testArguments(test: StoreTest): void {
  const faults: Record<string, Partial<Lock>> = {
    'an until in the past': { until: 1 },
    'an until of NaN': { until: Number.NaN },
    'a lockedAt of NaN': { lockedAt: Number.NaN },
    'an unknown kind': { kind: 'bogus' as LockKind },
  }
  for (const [name, fault] of Object.entries(faults)) {
    test(`rejects a lock with ${name}, and locks nobody`, async (setup) => {
      const rejection = setup.store.lock(lockOf(setup, 'client', 'lock', fault))
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await setup.store.locks()).toEqual([])
      expect(await setup.store.record(setup.key(), PLENTY)).toBe('recorded')
    })
  }
  test('keeps only the members of a lock, and no change of the caller', async (setup) => {
    const given = { ...lockOf(setup, 'client'), note: 'private' }
    const { note: _, ...intact } = given
    await setup.store.lock(given)
    Object.assign(given, { kind: 'throttle', until: 0 })
    expect(await setup.store.locks()).toEqual([intact])
  })
}

function testIdentity(test: StoreTest, identity: string): void {
  test(`locks ${JSON.stringify(identity)} as client and as subject, and nobody else`, async (setup) => {
    const { store, key } = setup
    const keys: readonly KeyRecord[] = [
      key('own', { clientId: identity, subject: identity }),
      key('for another', { clientId: identity, subject: 'other' }),
      key('by another', { clientId: 'other', subject: identity }),
      key('of others', { clientId: 'other', subject: `${identity} ` }),
      key(identity, { clientId: `x${identity}`, subject: 'other' }),
    ]
    await recordAll(setup, keys)
    const lock = lockOf(setup, identity, 'lock', { reason: identity, author: identity })
    await store.lock(lock)
    const found = await Promise.all(keys.map(async (one) => (await store.find(one))?.lock))
    expect(found).toEqual([lock, lock, lock, undefined, undefined])
    expect(await store.locks()).toEqual([lock])
    expect(await store.unlock(identity)).toBe('unlocked')
    expect(await store.find(key('own', { clientId: identity }))).not.toHaveProperty('lock')
  })
}
