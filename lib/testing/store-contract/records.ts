import { call, entryOf, PLENTY, type Prove } from './bench.js'

/** What is recorded comes back as it was, once, and nobody but the verbs can change it. */
export function proveRecords(prove: Prove): void {
  proveDuplicates(prove)
  provePastExpiry(prove)

  for (const scope of [[], ['one'], ['"quoted"', 'urn:x:y', '{}']]) {
    prove(`gives back a record of scope ${JSON.stringify(scope)} as it was given`, async ({ store, key }) => {
      const given = key('key', { subject: 'ein Gerät, "№ 7"', scope, audience: 'urn:a:{b}' })
      expect(await store.record(given, PLENTY)).toBe('recorded')
      expect(await store.find(given)).toEqual(entryOf(given))
    })
  }
  prove('keeps nothing that is not part of a record', async ({ store, key }) => {
    await store.record({ ...key(), key: 'eyJ...' } as ReturnType<typeof key>, PLENTY)
    expect(await store.find(key())).not.toHaveProperty('key')
  })
  prove('is not changed by what the caller does to the record afterwards', async ({ store, key }) => {
    const given = { ...key(), scope: ['read'] }
    const intact = structuredClone(given)
    await store.record(given, PLENTY)
    given.scope.push('admin')
    Object.assign(given, { subject: 'another', expiresAt: 0, retainUntil: 0, state: 'revoked' })
    expect(await store.find(intact)).toEqual(entryOf(intact))
  })
  prove('is not changed by what the caller does to an entry', async ({ store, key }) => {
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

function proveDuplicates(prove: Prove): void {
  prove('answers duplicate to a jti it knows, and keeps the first record', async ({ store, key }) => {
    const first = key()
    await store.record(first, PLENTY)
    expect(await store.record({ ...first, subject: 'another' }, PLENTY)).toBe('duplicate')
    expect(await store.find(first)).toMatchObject({ subject: first.subject })
  })
  for (const history of [['redeem'], ['redeem', 'settle'], ['revoke']] as const) {
    prove(`answers duplicate after ${history.join(', ')}, and does not issue the key anew`, async (on) => {
      const key = on.key()
      await on.store.record(key, PLENTY)
      await call(on.store, key, history)
      const before = await on.store.find(key)
      expect(await on.store.record(key, PLENTY)).toBe('duplicate')
      expect(await on.store.find(key)).toEqual(before)
    })
  }
}

function provePastExpiry(prove: Prove): void {
  for (const lifetimeSeconds of [-1, -100_000, Number.NaN]) {
    prove(`rejects a record that is to be kept for ${lifetimeSeconds} seconds`, async ({ store, key }) => {
      await expect(store.record(key('key', { lifetimeSeconds }), PLENTY)).rejects.toThrow()
      expect(await store.find(key())).toBeUndefined()
      expect(await store.record(key(), { outstanding: 1 })).toBe('recorded')
    })
  }
  prove('rejects a settling until NaN, and leaves the claim in place', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    await store.redeem(key(), 'one')
    await expect(store.settle(key(), 'one', Number.NaN)).rejects.toThrow()
    expect(await store.settle(key(), 'one', key().retainUntil)).toBe('settled')
  })
}
