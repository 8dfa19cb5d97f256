import type { IssuedBefore, KeyRecord } from '../../ports/store.js'
import {
  CALL_NAMES,
  CALLS,
  type CallName,
  type History,
  recordAll,
  recorded,
  statesOf,
  textOf,
  unreserved,
} from './calls.js'
import { PLENTY, type Setup, type StoreTest } from './setup.js'

/** Histories of a key, and its state after `revokeIssuedBefore`. */
const HISTORIES: readonly (readonly [history: History, state: 'revoked' | 'redeemed'])[] = [
  [[], 'revoked'],
  [['redeem'], 'revoked'],
  [['redeem', 'release'], 'revoked'],
  [['revoke'], 'revoked'],
  [['redeem', 'revoke'], 'revoked'],
  [['redeem', 'settle'], 'redeemed'],
  [['redeem', 'settle', 'revokeFamily'], 'redeemed'],
]

/** The answer of each call, in each state after `revokeIssuedBefore`. */
const ANSWERS: Record<CallName, Record<'revoked' | 'redeemed', string>> = {
  redeem: { revoked: 'revoked', redeemed: 'redeemed' },
  redeemByOther: { revoked: 'revoked', redeemed: 'redeemed' },
  settle: { revoked: 'revoked', redeemed: 'lost' },
  settleByOther: { revoked: 'revoked', redeemed: 'lost' },
  release: { revoked: 'revoked', redeemed: 'lost' },
  releaseByOther: { revoked: 'revoked', redeemed: 'lost' },
  revoke: { revoked: 'unchanged', redeemed: 'redeemed' },
  revokeFamily: { revoked: 'not_redeemed', redeemed: 'unchanged' },
}

/** `revokeIssuedBefore` covers a key in any state that was issued up to and including a second. */
export function testNotBefore(test: StoreTest): void {
  for (const [history, state] of HISTORIES) {
    const past = textOf(history)
    for (const name of CALL_NAMES) {
      test(`answers ${ANSWERS[name][state]} to ${name} of a covered key, after ${past}`, async (setup) => {
        const key = await covered(setup, history)
        expect(await CALLS[name](setup.store, key)).toBe(ANSWERS[name][state])
        expect(unreserved(await setup.store.find(key))).toEqual(coveredEntry(key, state))
      })
    }
    test(`finds a covered key as ${state}, and knows its jti, after ${past}`, async (setup) => {
      const key = await covered(setup, history)
      expect(unreserved(await setup.store.find(key))).toEqual(coveredEntry(key, state))
      expect(await setup.store.record(key, PLENTY)).toBe('duplicate')
    })
  }
  testBounds(test)
  testArguments(test)
  testIdentities(test)
}

/** Covers a key, and all keys that were issued before it or in the same second. */
export function upTo(
  { issuedAt, retainUntil }: KeyRecord,
  differences: Partial<IssuedBefore> = {},
): IssuedBefore {
  return { issuedBefore: issuedAt, retainUntil, ...differences }
}

function coveredEntry(key: KeyRecord, state: 'revoked' | 'redeemed') {
  return { ...key, state, changedAt: expect.any(Number), familyRevoked: state === 'redeemed' }
}

async function covered(setup: Setup, history: History): Promise<KeyRecord> {
  const key = await recorded(setup, history)
  expect(await setup.store.revokeIssuedBefore(upTo(key))).toBe('revoked')
  return key
}

function testBounds(test: StoreTest): void {
  test('covers keys that were issued in that second and before, and no later ones', async (setup) => {
    const { issuedAt } = setup.key()
    const keys = [-900, -1, 0, 1, 2].map((by) => setup.key(`${by}`, { issuedAt: issuedAt + by }))
    await recordAll(setup, keys)
    await setup.store.revokeIssuedBefore(upTo(setup.key(), { issuedBefore: issuedAt }))
    expect(await statesOf(setup, keys)).toEqual(['revoked', 'revoked', 'revoked', 'issued', 'issued'])
    expect(await setup.store.redeem(setup.key('1'), 'one')).toBe('reserved')
  })
  test('covers the keys of every client if it names no identity', async (setup) => {
    const keys = ['a', 'b', '__proto__'].map((clientId) => setup.key('key', { clientId, subject: clientId }))
    await recordAll(setup, keys)
    await setup.store.revokeIssuedBefore(upTo(setup.key()))
    expect(await statesOf(setup, keys)).toEqual(['revoked', 'revoked', 'revoked'])
  })
  for (const [covered, outstanding] of [
    [1, 2],
    [2, 2],
    [2, 3],
  ] as const) {
    test(`frees the places of ${covered} covered keys of a client with ${outstanding} places`, async (setup) => {
      const { issuedAt } = setup.key()
      const record = (jti: string, by: number) =>
        setup.store.record(setup.key(jti, { issuedAt: issuedAt + by }), { outstanding })
      for (let i = 0; i < covered; i += 1) expect(await record(`early-${i}`, 0)).toBe('recorded')
      await setup.store.revokeIssuedBefore(upTo(setup.key(), { issuedBefore: issuedAt }))
      for (let i = 0; i < outstanding; i += 1) expect(await record(`late-${i}`, 1)).toBe('recorded')
      expect(await record('one more', 1)).toBe('outstanding')
    })
  }
}

function testArguments(test: StoreTest): void {
  test('does not confuse identities with used identifiers', async ({ store, key, nowSeconds }) => {
    await store.useOnce('a', nowSeconds() + 60)
    await store.revokeIssuedBefore(upTo(key(), { identity: 'a' }))
    expect(await store.useOnce('a', nowSeconds() + 60)).toBe('used')
    expect(await store.useOnce('b', nowSeconds() + 60)).toBe('first')
  })
  const faults = {
    'an issuedBefore of NaN': { issuedBefore: Number.NaN },
    'a retainUntil of NaN': { retainUntil: Number.NaN },
    'a retainUntil in the past': { retainUntil: 1 },
  }
  for (const [name, fault] of Object.entries(faults)) {
    test(`rejects ${name}, and covers nothing`, async (setup) => {
      const key = await recorded(setup)
      const rejection = setup.store.revokeIssuedBefore(upTo(key, fault))
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await setup.store.find(key)).toMatchObject({ state: 'issued' })
    })
  }
}

function testIdentities(test: StoreTest): void {
  for (const identity of ['one', '__proto__', 'undefined', '', 'a:{b}', 'ключ']) {
    test(`covers ${JSON.stringify(identity)} as client and as subject, and nobody else`, async (setup) => {
      const keys = [
        setup.key('own', { clientId: identity, subject: identity }),
        setup.key('for another', { clientId: identity, subject: 'other' }),
        setup.key('by another', { clientId: 'other', subject: identity }),
        setup.key('of others', { clientId: 'other', subject: `${identity} ` }),
        setup.key(identity, { clientId: `x${identity}`, subject: 'other' }),
      ]
      await recordAll(setup, keys)
      await setup.store.revokeIssuedBefore(upTo(setup.key(), { identity }))
      expect(await statesOf(setup, keys)).toEqual(['revoked', 'revoked', 'revoked', 'issued', 'issued'])
    })
  }
  test('keeps a time for each identity, and one for all', async (setup) => {
    const { issuedAt } = setup.key()
    const named = (clientId: string, by: number) =>
      setup.key(`${by}`, { clientId, subject: clientId, issuedAt: issuedAt + by })
    const keys = ['a', 'b', 'c'].flatMap((clientId) => [0, 10, 20].map((by) => named(clientId, by)))
    await recordAll(setup, keys)
    for (const [bound, by] of [
      [{ identity: 'a' }, 20],
      [{ identity: 'b' }, 10],
      [{}, 0],
    ] as const) {
      const issuedBefore = issuedAt + by
      const answer = await setup.store.revokeIssuedBefore(upTo(setup.key(), { ...bound, issuedBefore }))
      expect(answer).toBe('revoked')
    }
    const [r, i] = ['revoked', 'issued']
    expect(await statesOf(setup, keys)).toEqual([r, r, r, r, r, i, r, i, i])
  })
}
