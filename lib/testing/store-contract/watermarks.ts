import type { IssuedBefore, KeyRecord } from '../../ports/store.js'
import {
  type Bench,
  CALL_NAMES,
  CALLS,
  type CallName,
  call,
  PLENTY,
  type Prove,
  unreserved,
} from './bench.js'

/** Ways to a key, and what a watermark makes of it. */
const HISTORIES: readonly (readonly [calls: readonly CallName[], state: 'revoked' | 'redeemed'])[] = [
  [[], 'revoked'],
  [['redeem'], 'revoked'],
  [['redeem', 'release'], 'revoked'],
  [['revoke'], 'revoked'],
  [['redeem', 'revoke'], 'revoked'],
  [['redeem', 'settle'], 'redeemed'],
  [['redeem', 'settle', 'revokeFamily'], 'redeemed'],
]

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

/** What was issued up to a second is revoked, whatever had become of it. */
export function proveWatermarks(prove: Prove): void {
  for (const [history, state] of HISTORIES) {
    const past = history.join(', ') || 'it was recorded'
    for (const name of CALL_NAMES) {
      prove(`answers ${ANSWERS[name][state]} to ${name} of a covered key, after ${past}`, async (on) => {
        const key = await covered(on, history)
        expect(await CALLS[name](on.store, key)).toBe(ANSWERS[name][state])
        expect(unreserved(await on.store.find(key))).toEqual(fateOf(key, state))
      })
    }
    prove(`shows a covered key as ${state}, and knows its jti, after ${past}`, async (on) => {
      const key = await covered(on, history)
      expect(unreserved(await on.store.find(key))).toEqual(fateOf(key, state))
      expect(await on.store.record(key, PLENTY)).toBe('duplicate')
    })
  }
  proveBounds(prove)
  proveIdentities(prove)
}

/** Up to the second in which a key was issued. */
export function upTo(
  { issuedAt, retainUntil }: KeyRecord,
  differences: Partial<IssuedBefore> = {},
): IssuedBefore {
  return { issuedBefore: issuedAt, retainUntil, ...differences }
}

function fateOf(key: KeyRecord, state: 'revoked' | 'redeemed') {
  return { ...key, state, changedAt: expect.any(Number), familyRevoked: state === 'redeemed' }
}

async function covered({ store, ...on }: Bench, history: readonly CallName[]): Promise<KeyRecord> {
  const key = on.key()
  await store.record(key, PLENTY)
  await call(store, key, history)
  expect(await store.revokeIssuedBefore(upTo(key))).toBe('revoked')
  return key
}

/** What has become of keys. */
export async function statesOf({ store }: Bench, keys: readonly KeyRecord[]) {
  return Promise.all(keys.map(async (key) => (await store.find(key))?.state))
}

/** Records keys one after another; answers what was answered. */
export async function recordAll({ store }: Bench, keys: readonly KeyRecord[], outstanding = 1_000) {
  const answers: string[] = []
  for (const key of keys) answers.push(await store.record(key, { outstanding }))
  return answers
}

function proveBounds(prove: Prove): void {
  prove('covers what was issued in that very second and before, and nothing after it', async (on) => {
    const { issuedAt } = on.key()
    const keys = [-900, -1, 0, 1, 2].map((by) => on.key(`${by}`, { issuedAt: issuedAt + by }))
    await recordAll(on, keys)
    await on.store.revokeIssuedBefore(upTo(on.key(), { issuedBefore: issuedAt }))
    expect(await statesOf(on, keys)).toEqual(['revoked', 'revoked', 'revoked', 'issued', 'issued'])
    expect(await on.store.redeem(on.key('1'), 'one')).toBe('reserved')
  })
  prove('covers the keys of every client when it names no identity', async (on) => {
    const keys = ['a', 'b', '__proto__'].map((clientId) => on.key('key', { clientId, subject: clientId }))
    await recordAll(on, keys)
    await on.store.revokeIssuedBefore(upTo(on.key()))
    expect(await statesOf(on, keys)).toEqual(['revoked', 'revoked', 'revoked'])
  })
  prove('leaves the names of used identifiers alone', async (on) => {
    await on.store.useOnce('a', on.nowSeconds() + 60)
    await on.store.revokeIssuedBefore(upTo(on.key(), { identity: 'a' }))
    expect(await on.store.useOnce('a', on.nowSeconds() + 60)).toBe('used')
    expect(await on.store.useOnce('b', on.nowSeconds() + 60)).toBe('first')
  })
  for (const fault of [{ issuedBefore: Number.NaN }, { retainUntil: Number.NaN }, { retainUntil: 1 }]) {
    prove(`rejects ${JSON.stringify(fault)}, and covers nothing`, async (on) => {
      await on.store.record(on.key(), PLENTY)
      const rejection = on.store.revokeIssuedBefore(upTo(on.key(), fault))
      await expect(rejection).rejects.toHaveProperty('name', 'RangeError')
      expect(await on.store.find(on.key())).toMatchObject({ state: 'issued' })
    })
  }
}

function proveIdentities(prove: Prove): void {
  for (const identity of ['one', '__proto__', 'undefined', '', 'a:{b}', 'ключ']) {
    prove(`covers ${JSON.stringify(identity)} as client and as subject, and nobody else`, async (on) => {
      const keys = [
        on.key('own', { clientId: identity, subject: identity }),
        on.key('for another', { clientId: identity, subject: 'other' }),
        on.key('by another', { clientId: 'other', subject: identity }),
        on.key('of others', { clientId: 'other', subject: `${identity} ` }),
        on.key(identity, { clientId: `x${identity}`, subject: 'other' }),
      ]
      await recordAll(on, keys)
      await on.store.revokeIssuedBefore(upTo(on.key(), { identity }))
      expect(await statesOf(on, keys)).toEqual(['revoked', 'revoked', 'revoked', 'issued', 'issued'])
    })
  }
  prove(
    'keeps the watermark of one identity apart from that of another, and from the one of all',
    async (on) => {
      const { issuedAt } = on.key()
      const named = (clientId: string, by: number) =>
        on.key(`${by}`, { clientId, subject: clientId, issuedAt: issuedAt + by })
      const keys = ['a', 'b', 'c'].flatMap((clientId) => [0, 10, 20].map((by) => named(clientId, by)))
      await recordAll(on, keys)
      for (const [identity, by] of Object.entries({ a: 20, b: 10 })) {
        const bound = upTo(on.key(), { identity, issuedBefore: issuedAt + by })
        expect(await on.store.revokeIssuedBefore(bound)).toBe('revoked')
      }
      expect(await on.store.revokeIssuedBefore(upTo(on.key(), { issuedBefore: issuedAt }))).toBe('revoked')
      const [r, i] = ['revoked', 'issued']
      expect(await statesOf(on, keys)).toEqual([r, r, r, r, r, i, r, i, i])
    },
  )
}
