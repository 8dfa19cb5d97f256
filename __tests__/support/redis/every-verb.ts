import type { RedisStore } from '../../../lib/stores/redis/redis.js'
import { HELD, HOLDER, keyFor, OVER, PLENTY } from './bench'

const now = () => Date.now() / 1000

/** Every verb once, on a key in the right state. */
export const EVERY_VERB: Record<string, (store: RedisStore) => Promise<unknown>> = {
  record: (store) => store.record(keyFor('key'), PLENTY),
  find: (store) => store.find(keyFor('key')),
  redeem: (store) => store.redeem(keyFor('key'), 'one'),
  release: (store) => store.release(keyFor('key'), 'one'),
  redeemAgain: (store) => store.redeem(keyFor('key'), 'two', OVER),
  redeemAsHolder: (store) => store.redeem(keyFor('key'), 'three', HELD),
  settle: (store) => store.settle(keyFor('key'), 'three', now() + 120, { outcome: 'sealed' }),
  recall: (store) => store.recall(keyFor('key'), HOLDER),
  revokeFamily: (store) => store.revokeFamily(keyFor('key')),
  recordOther: (store) => store.record(keyFor('other'), PLENTY),
  revoke: (store) => store.revoke(keyFor('other')),
  useOnce: (store) => store.useOnce('a-proof', now() + 60),
  useOnceOfKey: (store) => store.useOnce('a-proof', now() + 60, { clientId: 'a-client', jti: 'key' }),
  revokeIssuedBefore: (store) => store.revokeIssuedBefore({ issuedBefore: 1, retainUntil: now() + 60 }),
}

/** The answers to these calls. */
export const SUCCESS = [
  'recorded',
  expect.objectContaining({ state: 'issued' }),
  ...['reserved', 'released', 'reserved', 'resumed', 'settled'],
  { redemption: 'two', outcome: 'sealed' },
  ...['revoked', 'recorded', 'revoked', 'first', 'first', 'revoked'],
]

/** Calls all verbs in order. */
export async function everyVerb(store: RedisStore): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const act of Object.values(EVERY_VERB)) answers.push(await act(store))
  return answers
}
