import { call } from './calls.js'
import { PLENTY, type StoreTest } from './setup.js'

const ODD_NAMES = [
  ...['__proto__', 'constructor', 'toString', 'k', '0', 'with spaces and\ttab', ' padded ', 'line\nbreak'],
  ...['a:b:{c}:*', '{braces}', '"quotes" and \\', '%41&b=c/../d', 'ключ-鍵-🔑', 'x'.repeat(256)],
]

/** Pairs of a client id and a `jti`, separated by a semicolon, that a careless store takes for the same key. */
const LOOKALIKES: readonly (readonly [string, string])[] = [
  ['ab;c', 'a;bc'],
  ['a:b;c', 'a;b:c'],
  ['a};b', 'a;}b'],
  ['a b;c', 'a;b c'],
  ['a/b;c', 'a;b/c'],
  ['a\0b;c', 'a;b\0c'],
  ['a","b;c', 'a;b","c'],
  ['a;b', 'b;a'],
  ['a;b', 'c;b'],
  ['a;Key', 'a;key'],
  ['a;key', 'a;key '],
  ['a;\u00e9', 'a;e\u0301'],
  ['a;1', 'a;01'],
]

/** Any text can be an id, and different ids are different keys. */
export function testNames(test: StoreTest): void {
  for (const name of ODD_NAMES) testOddName(test, name)
  for (const [one, other] of LOOKALIKES) testLookalikes(test, one, other)
}

function testOddName(test: StoreTest, name: string): void {
  const label = JSON.stringify(name.length > 40 ? `${name.slice(0, 8)}...` : name)
  test(`knows no key with the name ${label} before it is recorded`, async ({ store, key }) => {
    await store.record(key(), PLENTY)
    const absent = key(name, { clientId: name })
    expect(await store.find(absent)).toBeUndefined()
    expect(await store.find({ clientId: 'client', jti: name })).toBeUndefined()
    expect(await call(store, absent, ['redeem', 'revoke'])).toEqual(['unknown', 'unknown'])
  })
  test(`records, redeems and revokes a key with the name ${label}`, async ({ store, key }) => {
    const odd = key(name, { clientId: name, subject: name, scope: [name] })
    expect(await store.record(odd, { outstanding: 1 })).toBe('recorded')
    expect(await store.record(key('next', { clientId: name }), { outstanding: 1 })).toBe('outstanding')
    expect(await store.redeem(odd, name)).toBe('reserved')
    expect(await store.settle(odd, `${name}.`, odd.retainUntil)).toBe('lost')
    expect(await store.settle(odd, name, odd.retainUntil)).toBe('settled')
    expect(await store.revokeFamily(odd)).toBe('revoked')
    expect(await store.find(odd)).toMatchObject({ ...odd, state: 'redeemed', familyRevoked: true })
    expect(await store.record(key('next', { clientId: name }), { outstanding: 1 })).toBe('recorded')
  })
}

function testLookalikes(test: StoreTest, nameA: string, nameB: string): void {
  const [clientA = '', jtiA] = nameA.split(';')
  const [clientB = '', jtiB] = nameB.split(';')
  test(`tells the keys ${JSON.stringify(nameA)} and ${JSON.stringify(nameB)} apart`, async ({
    store,
    key,
  }) => {
    const one = key(jtiA, { clientId: clientA, subject: 'one' })
    const other = key(jtiB, { clientId: clientB, subject: 'other' })
    const limits = { outstanding: clientA === clientB ? 2 : 1 }
    expect(await store.record(one, limits)).toBe('recorded')
    expect(await store.find(other)).toBeUndefined()
    expect(await store.record(other, limits)).toBe('recorded')
    expect(await store.revoke(one)).toBe('revoked')
    expect(await store.find(one)).toMatchObject({ subject: 'one', state: 'revoked' })
    expect(await store.find(other)).toMatchObject({ subject: 'other', state: 'issued' })
  })
}
