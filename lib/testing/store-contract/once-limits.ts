import { randomUUID } from 'node:crypto'
import type { IdentifierOwner } from '../../ports/store.js'
import { hundred, tally } from './calls.js'
import type { Setup, StoreTest } from './setup.js'

const KEY: IdentifierOwner = { clientId: 'client', jti: 'key' }
const OTHER_KEY: IdentifierOwner = { clientId: 'client', jti: 'other' }
const CLIENT: IdentifierOwner = { clientId: 'client' }

const [first, limited] = ['first', 'limited']
const THREE = [first, first, first]
const FIVE = [...THREE, first, first]

/** For a store that remembers 5 identifiers of a client, 5 of all its keys, and 3 of a key. */
export function testOnceLimits(test: StoreTest): void {
  testCounts(test)
  testLimited(test)
}

function testCounts(test: StoreTest): void {
  test('answers limited to one identifier of a key too many, and to no other key', async (setup) => {
    expect(await useAll(setup, 4, KEY)).toEqual([...THREE, limited])
    expect(await useAll(setup, 1, OTHER_KEY)).toEqual([first])
    expect(await useAll(setup, 3, { clientId: 'another', jti: 'key' })).toEqual(THREE)
  })
  test('answers limited to one identifier of a client too many', async (setup) => {
    expect(await useAll(setup, 6, CLIENT)).toEqual([...FIVE, limited])
    expect(await useAll(setup, 1, { clientId: 'another' })).toEqual([first])
  })
  test('answers limited to one identifier of all keys of a client too many', async (setup) => {
    const answers = [...(await useAll(setup, 3, KEY)), ...(await useAll(setup, 3, OTHER_KEY))]
    expect(answers).toEqual([...FIVE, limited])
    expect(await useAll(setup, 1, { clientId: 'another', jti: 'key' })).toEqual([first])
  })
  test('counts the identifiers of a client itself separately from those of its keys', async (setup) => {
    for (const key of [KEY, OTHER_KEY]) await useAll(setup, 3, key)
    expect(await useAll(setup, 6, CLIENT)).toEqual([...FIVE, limited])
    expect(await useAll(setup, 1, OTHER_KEY)).toEqual([limited])
  })
  test('does not limit identifiers without an owner', async (setup) => {
    await useAll(setup, 5, CLIENT)
    await useAll(setup, 5, OTHER_KEY)
    expect(await useAll(setup, 8)).toEqual([...FIVE, ...THREE])
  })
  test('tells owners apart whose names look alike', async (setup) => {
    const names = ['a:b c', 'a b:c', 'x} b', 'x }b', '__proto__ k', 'k __proto__', 'yz c', 'y zc']
    for (const name of names) {
      const [clientId = '', jti = ''] = name.split(' ')
      expect(await useAll(setup, 4, { clientId, jti })).toEqual([...THREE, limited])
    }
  })
}

function testLimited(test: StoreTest): void {
  test('answers used, not limited, to an identifier that it remembers', async ({ store, nowSeconds }) => {
    const until = nowSeconds() + 60
    for (const id of ['a', 'b', 'c']) await store.useOnce(id, until, KEY)
    expect(await store.useOnce('b', until, KEY)).toBe('used')
    expect(await store.useOnce('d', until, KEY)).toBe('limited')
  })
  test('does not remember an identifier that was limited', async (setup) => {
    await useAll(setup, 3, KEY)
    const until = setup.nowSeconds() + 60
    expect(await setup.store.useOnce('late', until, KEY)).toBe('limited')
    expect(await setup.store.useOnce('late', until, OTHER_KEY)).toBe('first')
  })
  test('frees a place of the owner when the time of an identifier is over', async (setup) => {
    await useAll(setup, 2, KEY, 2)
    await useAll(setup, 1, KEY)
    expect(await useAll(setup, 1, KEY)).toEqual([limited])
    await setup.advance(3)
    expect(await useAll(setup, 3, KEY)).toEqual([first, first, limited])
  })
  test('accepts as many of 100 concurrent identifiers as their owner may have', async (setup) => {
    const until = setup.nowSeconds() + 60
    const ofKey = await hundred((i) => setup.store.useOnce(`key-${i}`, until, KEY))
    const ofClient = await hundred((i) => setup.store.useOnce(`client-${i}`, until, CLIENT))
    expect(tally(ofKey)).toEqual({ first: 3, limited: 97 })
    expect(tally(ofClient)).toEqual({ first: 5, limited: 95 })
  })
}

/** Uses new identifiers one after another, and returns the answers. */
async function useAll({ store, nowSeconds }: Setup, count: number, owner?: IdentifierOwner, seconds = 60) {
  const answers: string[] = []
  for (let i = 0; i < count; i += 1)
    answers.push(await store.useOnce(randomUUID(), nowSeconds() + seconds, owner))
  return answers
}
