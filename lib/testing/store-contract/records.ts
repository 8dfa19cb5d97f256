import { call, entryOf, recorded, textOf } from './calls.js'
import { PLENTY, type StoreTest } from './setup.js'

/** A record comes back as it was given. Only the verbs can change it. */
export function testRecords(test: StoreTest): void {
  testDuplicates(test)
  testTimes(test)
  testCopies(test)
  testOptionalMembers(test)
  for (const scope of [[], ['one'], ['"quoted"', 'urn:x:y', '{}']]) {
    test(`answers a record with the scope ${JSON.stringify(scope)} unchanged`, async ({ store, key }) => {
      const given = key('key', { subject: 'ein Gerät, "№ 7"', scope, audience: 'urn:a:{b}' })
      expect(await store.record(given, PLENTY)).toBe('recorded')
      expect(await store.find(given)).toEqual(entryOf(given))
    })
  }
}

function testOptionalMembers(test: StoreTest): void {
  const [jkt, certificate] = [{ jkt: 'a-thumbprint' }, { 'x5t#S256': 'another-thumbprint' }]
  const claimsDigest = 'gOjgPuBAlJAsFT_QVQoOdBMrvqGb-QG3vQf01yN5rYw'
  for (const members of [
    { confirmation: jkt },
    { confirmation: certificate },
    { confirmation: { ...jkt, ...certificate } },
    { claimsDigest },
    { confirmation: jkt, claimsDigest, issuedTo: '192.0.2.0/24' },
  ]) {
    test(`answers a record with ${JSON.stringify(members)} unchanged`, async (setup) => {
      const key = await recorded(setup, [], members)
      expect(await setup.store.find(key)).toEqual(entryOf(key))
      await call(setup.store, key, ['redeem', 'settle', 'revokeFamily'])
      expect(await setup.store.find(key)).toMatchObject({ ...members, familyRevoked: true })
    })
  }
}

function testCopies(test: StoreTest): void {
  test('keeps only the members of a record', async ({ store, key }) => {
    await store.record({ ...key(), key: 'eyJ...' } as ReturnType<typeof key>, PLENTY)
    expect(await store.find(key())).not.toHaveProperty('key')
  })
  test('does not change an entry when the caller changes the record later', async ({ store, key }) => {
    const given = { ...key(), scope: ['read'] }
    const intact = structuredClone(given)
    await store.record(given, PLENTY)
    given.scope.push('admin')
    Object.assign(given, { subject: 'another', expiresAt: 0, retainUntil: 0, state: 'revoked' })
    expect(await store.find(intact)).toEqual(entryOf(intact))
  })
  test('does not change an entry when the caller changes what find answered', async ({ store, key }) => {
    const given = key()
    await store.record(given, PLENTY)
    const found = await store.find(given)
    Reflect.set(found ?? {}, 'state', 'redeemed')
    Reflect.set(found ?? {}, 'retainUntil', 0)
    Reflect.set(found?.scope ?? [], 0, 'admin')
    expect(await store.find(given)).toEqual(entryOf(given))
    expect(await store.redeem(given, 'one')).toBe('reserved')
  })
}

function testDuplicates(test: StoreTest): void {
  test('answers duplicate to a known jti, and keeps the first record', async ({ store, key }) => {
    const first = key()
    await store.record(first, PLENTY)
    expect(await store.record({ ...first, subject: 'another' }, PLENTY)).toBe('duplicate')
    expect(await store.find(first)).toMatchObject({ subject: first.subject })
  })
  for (const history of [['redeem'], ['redeem', 'settle'], ['revoke']] as const) {
    test(`answers duplicate after ${textOf(history)}, and keeps the state of the key`, async (setup) => {
      const key = await recorded(setup, history)
      const before = await setup.store.find(key)
      expect(await setup.store.record(key, PLENTY)).toBe('duplicate')
      expect(await setup.store.find(key)).toEqual(before)
    })
  }
}

function testTimes(test: StoreTest): void {
  for (const lifetimeSeconds of [-1, -100_000, Number.NaN]) {
    test(`rejects a record with a lifetime of ${lifetimeSeconds} seconds`, async ({ store, key }) => {
      await expect(store.record(key('key', { lifetimeSeconds }), PLENTY)).rejects.toThrow()
      expect(await store.find(key())).toBeUndefined()
      expect(await store.record(key(), { outstanding: 1 })).toBe('recorded')
    })
  }
  test('rejects a settlement until NaN, and keeps the reservation', async (setup) => {
    const key = await recorded(setup, ['redeem'])
    await expect(setup.store.settle(key, 'one', Number.NaN)).rejects.toThrow()
    expect(await setup.store.settle(key, 'one', key.retainUntil)).toBe('settled')
  })
}
