import { call, PLENTY, type Prove } from './bench.js'

const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'k',
  '0',
  'with spaces and\ttab',
  ' padded ',
  'line\nbreak',
  'a:b:{c}:*',
  '{braces}',
  '"quotes" and \\',
  '%41&b=c/../d',
  'ключ-鍵-🔑',
  'x'.repeat(256),
]

type Name = readonly [clientId: string, jti: string]

/** Names that a careless store takes for one. */
const LOOKALIKES: readonly (readonly [Name, Name])[] = [
  [
    ['ab', 'c'],
    ['a', 'bc'],
  ],
  [
    ['a:b', 'c'],
    ['a', 'b:c'],
  ],
  [
    ['a}', 'b'],
    ['a', '}b'],
  ],
  [
    ['a b', 'c'],
    ['a', 'b c'],
  ],
  [
    ['a/b', 'c'],
    ['a', 'b/c'],
  ],
  [
    ['a\0b', 'c'],
    ['a', 'b\0c'],
  ],
  [
    ['a","b', 'c'],
    ['a', 'b","c'],
  ],
  [
    ['a', 'b'],
    ['b', 'a'],
  ],
  [
    ['a', 'b'],
    ['c', 'b'],
  ],
  [
    ['a', 'Key'],
    ['a', 'key'],
  ],
  [
    ['a', 'key'],
    ['a', 'key '],
  ],
  [
    ['a', '\u00e9'],
    ['a', 'e\u0301'],
  ],
  [
    ['a', '1'],
    ['a', '01'],
  ],
]

/** Any text can be an id, and different ids are different keys. */
export function proveNames(prove: Prove): void {
  for (const name of ODD_NAMES) proveOddName(prove, name)
  for (const [one, other] of LOOKALIKES) proveApart(prove, one, other)
}

function proveOddName(prove: Prove, name: string): void {
  const label = JSON.stringify(name.length > 40 ? `${name.slice(0, 8)}...` : name)
  prove(`knows nothing under the name ${label} before it is recorded`, async ({ store, key }) => {
    await store.record(key(), PLENTY)
    const absent = key(name, { clientId: name })
    expect(await store.find(absent)).toBeUndefined()
    expect(await store.find({ clientId: 'client', jti: name })).toBeUndefined()
    expect(await call(store, absent, ['redeem', 'revoke'])).toEqual(['unknown', 'unknown'])
  })
  prove(`leads a key through its life under the name ${label}`, async ({ store, key }) => {
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

function proveApart(prove: Prove, [clientA, jtiA]: Name, [clientB, jtiB]: Name): void {
  const names = `${JSON.stringify([clientA, jtiA])} and ${JSON.stringify([clientB, jtiB])}`
  prove(`tells ${names} apart`, async ({ store, key }) => {
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
