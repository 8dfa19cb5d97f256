import { KEY_STATES, type KeyState } from '../../ports/key-record.js'
import {
  CALL_NAMES,
  CALLS,
  type CallName,
  call,
  type History,
  recorded,
  textOf,
  unreserved,
} from './calls.js'
import type { StoreTest } from './setup.js'

/** The answer of each call in each state, in the order of `KEY_STATES`. After `>`: the next state, if the call changes it. */
const ANSWERS: Record<CallName, readonly [string, string, string, string]> = {
  redeem: ['reserved > redeeming', 'redeeming', 'redeemed', 'revoked'],
  redeemByOther: ['reserved > redeeming', 'redeeming', 'redeemed', 'revoked'],
  settle: ['lost', 'settled > redeemed', 'lost', 'revoked'],
  settleByOther: ['lost', 'lost', 'lost', 'revoked'],
  release: ['lost', 'released > issued', 'lost', 'revoked'],
  releaseByOther: ['lost', 'lost', 'lost', 'revoked'],
  revoke: ['revoked > revoked', 'revoked > revoked', 'redeemed', 'unchanged'],
  revokeFamily: ['not_redeemed', 'not_redeemed', 'revoked', 'not_redeemed'],
}

/** Histories that lead to each state. If the key is reserved, the attempt `one` has the reservation. */
const HISTORIES: readonly (readonly [state: KeyState, history: History])[] = [
  ['issued', []],
  ['issued', ['redeem', 'release']],
  ['redeeming', ['redeem']],
  ['redeeming', ['redeemByOther', 'releaseByOther', 'redeem']],
  ['redeemed', ['redeem', 'settle']],
  ['revoked', ['revoke']],
  ['revoked', ['redeem', 'revoke']],
]

/** Every verb in every state: its answer, and the state after it. */
export function testMoves(test: StoreTest): void {
  for (const [state, history] of HISTORIES) {
    for (const name of CALL_NAMES) testMove(test, name, state, history)
  }
  for (const name of CALL_NAMES) {
    test(`answers unknown to ${name} of a key that was never recorded, and records nothing`, async (setup) => {
      expect(await CALLS[name](setup.store, setup.key())).toBe('unknown')
      expect(await setup.store.find(setup.key())).toBeUndefined()
    })
  }
  test('revokes a family once, and leaves the key redeemed', async (setup) => {
    const key = await recorded(setup, ['redeem', 'settle', 'revokeFamily'])
    const after = await call(setup.store, key, ['revokeFamily', 'redeem', 'settle', 'release', 'revoke'])
    expect(after).toEqual(['unchanged', 'redeemed', 'lost', 'lost', 'redeemed'])
    expect(await setup.store.find(key)).toMatchObject({ state: 'redeemed', familyRevoked: true })
  })
}

function testMove(test: StoreTest, name: CallName, state: KeyState, history: History): void {
  const [answer, next = state] = (ANSWERS[name][KEY_STATES.indexOf(state)] ?? '').split(' > ')
  test(`answers ${answer} to ${name} after ${textOf(history)}, and leaves the key ${next}`, async (setup) => {
    const key = await recorded(setup, history)
    expect(await CALLS[name](setup.store, key)).toBe(answer)
    const familyRevoked = name === 'revokeFamily' && state === 'redeemed'
    expect(unreserved(await setup.store.find(key))).toEqual({
      ...{ ...key, state: next, familyRevoked },
      changedAt: expect.any(Number),
    })
  })
}
