import type { KeyState } from '../../ports/store.js'
import { CALL_NAMES, CALLS, type CallName, call, PLENTY, type Prove, unreserved } from './bench.js'

const STATES: readonly KeyState[] = ['issued', 'redeeming', 'redeemed', 'revoked']

/** What a call answers in each of the states; after the arrow, the state it moves the key to. */
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

/** Ways into each of the states. Where there is a claim, the attempt `one` holds it, or held it last. */
const HISTORIES: readonly (readonly [state: KeyState, calls: readonly CallName[]])[] = [
  ['issued', []],
  ['issued', ['redeem', 'release']],
  ['redeeming', ['redeem']],
  ['redeeming', ['redeemByOther', 'releaseByOther', 'redeem']],
  ['redeemed', ['redeem', 'settle']],
  ['revoked', ['revoke']],
  ['revoked', ['redeem', 'revoke']],
]

/** Every verb in every state: what it answers, and where it leaves the key. */
export function proveMoves(prove: Prove): void {
  for (const [state, history] of HISTORIES) {
    for (const name of CALL_NAMES) proveMove(prove, name, state, history)
  }
  for (const name of CALL_NAMES) {
    prove(`answers unknown to ${name} of a key that was never recorded, and records nothing`, async (on) => {
      expect(await CALLS[name](on.store, on.key())).toBe('unknown')
      expect(await on.store.find(on.key())).toBeUndefined()
    })
  }
  prove('revokes a family once, and leaves the key redeemed', async ({ store, key }) => {
    await store.record(key(), PLENTY)
    await call(store, key(), ['redeem', 'settle', 'revokeFamily'])
    const after = await call(store, key(), ['revokeFamily', 'redeem', 'settle', 'release', 'revoke'])
    expect(after).toEqual(['unchanged', 'redeemed', 'lost', 'lost', 'redeemed'])
    expect(await store.find(key())).toMatchObject({ state: 'redeemed', familyRevoked: true })
  })
}

function proveMove(prove: Prove, name: CallName, state: KeyState, history: readonly CallName[]): void {
  const [answer, next = state] = (ANSWERS[name][STATES.indexOf(state)] ?? '').split(' > ')
  const past = history.length === 0 ? 'just recorded' : `after ${history.join(', ')}`
  prove(
    `answers ${answer} to ${name} of a key that is ${state} (${past}), and leaves it ${next}`,
    async (on) => {
      const key = on.key()
      await on.store.record(key, PLENTY)
      await call(on.store, key, history)
      expect(await CALLS[name](on.store, key)).toBe(answer)
      const familyRevoked = name === 'revokeFamily' && state === 'redeemed'
      expect(unreserved(await on.store.find(key))).toEqual({
        ...{ ...key, state: next, familyRevoked },
        changedAt: expect.any(Number),
      })
    },
  )
}
