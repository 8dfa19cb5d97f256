import { randomUUID } from 'node:crypto'
import type { IdentifierOwner } from '../../ports/store.js'
import type { Bench, Prove } from './bench.js'

/** An identifier is used once, by one caller, for as long as it is remembered. */
export function proveOnce(prove: Prove): void {
  prove('lets an identifier be used once', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    expect(await store.useOnce('a', until)).toBe('first')
    expect(await store.useOnce('a', until)).toBe('used')
    expect(await store.useOnce('a', until + 60)).toBe('used')
  })
  prove('tells identifiers apart, and from the names of keys', async ({ store, nowSeconds, key }) => {
    const until = nowSeconds() + 60
    await store.record(key('a', { clientId: 'a' }), { outstanding: 1 })
    const ids = ['a', 'A', 'a ', '', '__proto__', 'constructor', '\u00e9', 'e\u0301', 'x'.repeat(256)]
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('first')
    for (const id of ids) expect(await store.useOnce(id, until)).toBe('used')
    expect(await store.find(key('a', { clientId: 'a' }))).toMatchObject({ state: 'issued' })
  })
  prove('lets exactly one of 100 concurrent calls be the first', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    const answers = await Promise.all(Array.from({ length: 100 }, () => store.useOnce('a', until)))
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(1)
    expect(answers.filter((answer) => answer === 'used')).toHaveLength(99)
  })
  prove('remembers an identifier until its time is over, and no longer', async (on) => {
    const until = on.nowSeconds() + 3
    await on.store.useOnce('a', until)
    await on.advance(1)
    expect(await on.store.useOnce('a', until)).toBe('used')
    await on.advance(3)
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('first')
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('used')
  })
  prove('does not remember an identifier longer for being used again', async (on) => {
    await on.store.useOnce('a', on.nowSeconds() + 2)
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('used')
    await on.advance(3)
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('first')
  })
  for (const seconds of [-1, -100_000, Number.NaN, Number.POSITIVE_INFINITY]) {
    prove(`rejects an identifier to be remembered for ${seconds} seconds`, async ({ store, nowSeconds }) => {
      // By name: a store may come from another realm than the test.
      const rejection = store.useOnce('a', nowSeconds() + seconds)
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await store.useOnce('a', nowSeconds() + 60)).toBe('first')
    })
  }
}

const KEY: IdentifierOwner = { clientId: 'client', jti: 'key' }
const OTHER_KEY: IdentifierOwner = { clientId: 'client', jti: 'other' }
const CLIENT: IdentifierOwner = { clientId: 'client' }

/** For a store that remembers 5 identifiers of a client, 5 of all its keys, and 3 of a key. */
export function proveOnceLimits(prove: Prove): void {
  const [first, limited] = ['first', 'limited']
  prove('answers limited to one identifier of a key too many, and to no other key', async (on) => {
    expect(await useAll(on, 4, KEY)).toEqual([first, first, first, limited])
    expect(await useAll(on, 1, OTHER_KEY)).toEqual([first])
    expect(await useAll(on, 3, { clientId: 'another', jti: 'key' })).toEqual([first, first, first])
  })
  prove('answers limited to one identifier of a client too many', async (on) => {
    expect(await useAll(on, 6, CLIENT)).toEqual([...Array(5).fill(first), limited])
    expect(await useAll(on, 1, { clientId: 'another' })).toEqual([first])
  })
  prove('answers limited to one identifier of all keys of a client too many', async (on) => {
    const answers = [...(await useAll(on, 3, KEY)), ...(await useAll(on, 3, OTHER_KEY))]
    expect(answers).toEqual([...Array(5).fill(first), limited])
    expect(await useAll(on, 1, { clientId: 'another', jti: 'key' })).toEqual([first])
  })
  prove('counts the identifiers of a client itself apart from those of its keys', async (on) => {
    for (const key of [KEY, OTHER_KEY]) await useAll(on, 3, key)
    expect(await useAll(on, 6, CLIENT)).toEqual([...Array(5).fill(first), limited])
    expect(await useAll(on, 1, OTHER_KEY)).toEqual([limited])
  })
  prove('limits nobody who names no owner', async (on) => {
    await useAll(on, 5, CLIENT)
    await useAll(on, 5, OTHER_KEY)
    expect(await useAll(on, 8)).toEqual(Array(8).fill(first))
  })
  prove('answers used, not limited, to an identifier that it remembers', async (on) => {
    const until = on.nowSeconds() + 60
    for (const id of ['a', 'b', 'c']) await on.store.useOnce(id, until, KEY)
    expect(await on.store.useOnce('b', until, KEY)).toBe('used')
    expect(await on.store.useOnce('d', until, KEY)).toBe('limited')
  })
  prove('remembers nothing of an identifier that was limited', async (on) => {
    await useAll(on, 3, KEY)
    const until = on.nowSeconds() + 60
    expect(await on.store.useOnce('late', until, KEY)).toBe('limited')
    expect(await on.store.useOnce('late', until, OTHER_KEY)).toBe('first')
  })
  prove('gives back a place of its owner for each identifier whose time is over', async (on) => {
    await useAll(on, 2, KEY, 2)
    await useAll(on, 1, KEY)
    expect(await useAll(on, 1, KEY)).toEqual([limited])
    await on.advance(3)
    expect(await useAll(on, 3, KEY)).toEqual([first, first, limited])
  })
  prove('lets exactly as many of 100 concurrent identifiers in as their owner may have', async (on) => {
    const until = on.nowSeconds() + 60
    const ids = Array.from({ length: 100 }, (_, i) => `id-${i}`)
    const ofKey = await Promise.all(ids.map((id) => on.store.useOnce(id, until, KEY)))
    const ofClient = await Promise.all(ids.map((id) => on.store.useOnce(`${id}.`, until, CLIENT)))
    const count = (answers: readonly string[]) => answers.filter((answer) => answer === first).length
    expect([count(ofKey), count(ofClient)]).toEqual([3, 5])
  })
  prove('tells owners apart, whatever is in their names', async (on) => {
    const names = ['a:b c', 'a b:c', 'x} b', 'x }b', '__proto__ k', 'k __proto__', 'yz c', 'y zc']
    for (const name of names) {
      const [clientId = '', jti = ''] = name.split(' ')
      expect(await useAll(on, 4, { clientId, jti })).toEqual([first, first, first, limited])
    }
  })
}

/** Uses fresh identifiers, one after another. */
async function useAll({ store, nowSeconds }: Bench, count: number, owner?: IdentifierOwner, seconds = 60) {
  const answers: string[] = []
  for (let i = 0; i < count; i += 1) {
    answers.push(await store.useOnce(randomUUID(), nowSeconds() + seconds, owner))
  }
  return answers
}

/** For a store whose cap is 10. */
export function proveOnceCap(prove: Prove): void {
  prove('answers full to one identifier too many, and evicts none', async (on) => {
    const until = on.nowSeconds() + 60
    const ids = Array.from({ length: 9 }, (_, i) => `id-${i}`)
    await on.store.useOnce('brief', on.nowSeconds() + 2)
    for (const id of ids) expect(await on.store.useOnce(id, until)).toBe('first')
    expect(await on.store.useOnce('late', until)).toBe('full')
    for (const id of ids) expect(await on.store.useOnce(id, until)).toBe('used')
    await on.advance(3)
    expect(await on.store.useOnce('late', until)).toBe('first')
    expect(await on.store.useOnce('later', until)).toBe('full')
  })
}
