import { call, hundred, recordAll } from './calls.js'
import { lockOf } from './monitoring.js'
import { PLENTY, type StoreTest } from './setup.js'

const BOUND = { confirmation: { jkt: 'a-thumbprint' } }

/** `record` refuses keys as the locks of the client and of the subject say. */
export function testLockedRecords(test: StoreTest): void {
  testRefused(test)
  testOrder(test)
  testKinds(test)
  testThrottle(test)
  testThrottledSubject(test)
}

function testRefused(test: StoreTest): void {
  for (const identity of ['client', 'device']) {
    test(`refuses the keys of a locked ${identity}, and no others, with nothing recorded`, async (setup) => {
      const { store, key } = setup
      await store.lock(lockOf(setup, identity))
      expect(await store.record(key('key', BOUND), PLENTY)).toBe('locked')
      expect(await store.find(key())).toBeUndefined()
      const other = identity === 'client' ? { clientId: 'other' } : { subject: 'other' }
      expect(await store.record(key('other', other), PLENTY)).toBe('recorded')
      await store.unlock(identity)
      expect(await store.record(key(), PLENTY)).toBe('recorded')
    })
    test(`refuses only unbound keys while ${identity} has stepUp`, async (setup) => {
      const { store, key } = setup
      await store.lock(lockOf(setup, identity, 'stepUp'))
      expect(await store.record(key(), PLENTY)).toBe('unbound')
      expect(await store.find(key())).toBeUndefined()
      expect(await store.record(key('dpop', BOUND), PLENTY)).toBe('recorded')
      const certificate = { confirmation: { 'x5t#S256': 'a-thumbprint' } }
      expect(await store.record(key('mtls', certificate), PLENTY)).toBe('recorded')
    })
  }
}

function testOrder(test: StoreTest): void {
  test('answers duplicate and revoked before it looks for a lock', async (setup) => {
    const { store, key } = setup
    await store.record(key(), PLENTY)
    await store.lock(lockOf(setup, 'client'))
    expect(await store.record(key(), PLENTY)).toBe('duplicate')
    const { issuedAt: issuedBefore, retainUntil } = key()
    await store.revokeIssuedBefore({ identity: 'client', issuedBefore, retainUntil })
    expect(await store.record(key('late'), PLENTY)).toBe('revoked')
  })
}

function testKinds(test: StoreTest): void {
  const pairs = [
    ['stepUp', 'client', 'throttle', 'client'],
    ['throttle', 'device', 'stepUp', 'device'],
    ['throttle', 'client', 'stepUp', 'device'],
  ] as const
  for (const [kind, identity, otherKind, otherIdentity] of pairs) {
    const locks = `${kind} of a ${identity} and ${otherKind} of a ${otherIdentity}`
    test(`applies ${locks} at the same time`, async (setup) => {
      const { store, key } = setup
      await store.lock(lockOf(setup, identity, kind))
      await store.lock(lockOf(setup, otherIdentity, otherKind))
      expect(await store.record(key('a'), PLENTY)).toBe('unbound')
      expect(await store.record(key('b', BOUND), PLENTY)).toBe('recorded')
      expect(await store.record(key('c', BOUND), PLENTY)).toBe('outstanding')
      const others = { clientId: 'other', subject: 'other' }
      expect(await store.record(key('d', others), PLENTY)).toBe('recorded')
    })
  }
}

function testThrottle(test: StoreTest): void {
  test('lets a throttled client have one outstanding key at a time', async (setup) => {
    const { store, key } = setup
    await store.lock(lockOf(setup, 'client', 'throttle'))
    expect(await recordAll(setup, [key('a'), key('b', { subject: 'other' })])).toEqual([
      'recorded',
      'outstanding',
    ])
    await call(store, key('a'), ['redeem', 'settle'])
    expect(await recordAll(setup, [key('b'), key('c')])).toEqual(['recorded', 'outstanding'])
    expect(await store.record(key('d', { clientId: 'other' }), PLENTY)).toBe('recorded')
    await store.unlock('client')
    expect(await recordAll(setup, [key('c')])).toEqual(['recorded'])
  })
  test('refuses a throttled client until its earlier keys are redeemed', async (setup) => {
    const { store, key } = setup
    await recordAll(setup, [key('a'), key('b')])
    await store.lock(lockOf(setup, 'client', 'throttle'))
    await store.revoke(key('a'))
    expect(await store.record(key('c'), PLENTY)).toBe('outstanding')
    await store.revoke(key('b'))
    expect(await store.record(key('c'), PLENTY)).toBe('recorded')
  })
}

function testThrottledSubject(test: StoreTest): void {
  test('lets a client have one outstanding key for a throttled subject, and more for others', async (setup) => {
    const { store, key } = setup
    await recordAll(setup, [key('a', { subject: 'other' }), key('b', { subject: 'other' })])
    await store.lock(lockOf(setup, 'device', 'throttle'))
    expect(await recordAll(setup, [key('c'), key('d')])).toEqual(['recorded', 'outstanding'])
    expect(await store.record(key('e', { subject: 'other' }), PLENTY)).toBe('recorded')
    await call(store, key('c'), ['redeem', 'settle'])
    expect(await store.record(key('d'), PLENTY)).toBe('recorded')
  })
  for (const identity of ['client', 'device']) {
    test(`does not count keys that revokeIssuedBefore covers for a throttled ${identity}`, async (setup) => {
      const { store, key } = setup
      const { issuedAt, retainUntil } = key()
      await store.record(key('key', { issuedAt: issuedAt - 5 }), PLENTY)
      await store.lock(lockOf(setup, identity, 'throttle'))
      expect(await store.record(key('late'), PLENTY)).toBe('outstanding')
      await store.revokeIssuedBefore({ issuedBefore: issuedAt - 5, retainUntil })
      expect(await recordAll(setup, [key('b'), key('c')])).toEqual(['recorded', 'outstanding'])
    })
  }
  test('gives a throttled client exactly one of 100 concurrent keys', async (setup) => {
    await setup.store.lock(lockOf(setup, 'client', 'throttle'))
    const answers = await hundred((i) => setup.store.record(setup.key(`${i}`), PLENTY))
    expect(answers.filter((answer) => answer === 'recorded')).toHaveLength(1)
  })
}
