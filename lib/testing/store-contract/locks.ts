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
  testKinds(test)
  testOutlasting(test)
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

const KINDS: readonly LockKind[] = ['throttle', 'stepUp', 'lock']

/** A new lock replaces that of the same kind, if it is not shorter. */
function testReplaced(test: StoreTest): void {
  for (const kind of KINDS) {
    for (const seconds of [-5, 0, 5]) {
      const length = seconds < 0 ? 'shorter' : seconds > 0 ? 'longer' : 'equally long'
      const outcome = seconds < 0 ? 'unchanged' : 'locked'
      test(`answers ${outcome} to a ${length} ${kind} of a client with ${kind}`, async (setup) => {
        const present = lockOf(setup, 'client', kind)
        const until = present.until + seconds
        const other = lockOf(setup, 'client', kind, { until, reason: 'another', author: 'another' })
        await setup.store.lock(present)
        expect(await setup.store.lock(other)).toBe(outcome)
        expect(await setup.store.locks()).toEqual([seconds < 0 ? present : other])
      })
    }
  }
}

function testKinds(test: StoreTest): void {
  for (const kind of KINDS) {
    for (const other of KINDS.filter((one) => one !== kind)) {
      for (const seconds of [-5, 5]) {
        const length = seconds < 0 ? 'shorter' : 'longer'
        test(`adds a ${length} ${other} to ${kind}, answers the stronger one, and unlocks both`, async (setup) => {
          const { store } = setup
          const key = await recorded(setup, [], { lifetimeSeconds: 600 })
          const first = lockOf(setup, 'client', kind, { until: Math.floor(setup.nowSeconds()) + 60 })
          const second = lockOf(setup, 'client', other, { until: first.until + seconds })
          const stronger = KINDS.indexOf(kind) > KINDS.indexOf(other) ? first : second
          expect([await store.lock(first), await store.lock(second)]).toEqual(['locked', 'locked'])
          const locks = await store.locks()
          expect(locks).toHaveLength(2)
          expect(locks).toEqual(expect.arrayContaining([first, second]))
          expect((await store.find(key))?.lock).toEqual(stronger)
          expect([await store.unlock('client'), await store.unlock('client')]).toEqual([
            'unlocked',
            'unknown',
          ])
          expect(await store.locks()).toEqual([])
          expect(await store.find(key)).not.toHaveProperty('lock')
        })
      }
    }
  }
}

/** An automatic lock for an hour does not end the lock of an operator. */
function testOutlasting(test: StoreTest): void {
  test('keeps a long stepUp that a short lock covers, and applies it when the lock has ended', async (setup) => {
    const { store, key, advance } = setup
    const seconds = Math.floor(setup.nowSeconds())
    const record = key('key', { lifetimeSeconds: 600 })
    await store.record(record, PLENTY)
    const stepUp = lockOf(setup, 'client', 'stepUp', { until: seconds + 30 * 86_400 })
    const lock = lockOf(setup, 'client', 'lock', { until: seconds + 3 })
    expect([await store.lock(stepUp), await store.lock(lock)]).toEqual(['locked', 'locked'])
    expect(await store.record(key('during'), PLENTY)).toBe('locked')
    await advance(4)
    expect(await store.locks()).toEqual([stepUp])
    expect((await store.find(record))?.lock).toEqual(stepUp)
    expect(await store.record(key('after'), PLENTY)).toBe('unbound')
    expect(await store.lock(lockOf(setup, 'client', 'throttle'))).toBe('locked')
    expect((await store.find(record))?.lock).toEqual(stepUp)
    expect(await store.unlock('client')).toBe('unlocked')
    expect(await store.record(key('after'), PLENTY)).toBe('recorded')
  })
  test('keeps a long lock although a shorter lock of each other kind ends', async (setup) => {
    const { store, advance } = setup
    const until = Math.floor(setup.nowSeconds()) + 3
    const lasting = lockOf(setup, 'client', 'throttle')
    await store.lock(lockOf(setup, 'client', 'stepUp', { until }))
    await store.lock(lasting)
    await store.lock(lockOf(setup, 'client', 'lock', { until }))
    expect(await store.locks()).toHaveLength(3)
    await advance(4)
    expect(await store.locks()).toEqual([lasting])
    expect(await store.lock(lasting)).toBe('locked')
  })
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
