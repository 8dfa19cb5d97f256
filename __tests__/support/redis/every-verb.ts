import type { RedisStore } from '../../../lib/stores/redis/redis.js'
import { HELD, HOLDER, keyFor, OVER, PLENTY } from './bench'

const now = () => Date.now() / 1000

const LOCK = () => ({
  ...({ clientId: 'locked', kind: 'lock', reason: 'stolen', author: 'operator' } as const),
  ...{ lockedAt: 1, until: now() + 60 },
})
const FINDING = () => ({
  ...({ id: 'a-finding', rule: 'replay', severity: 'high', evidence: 'bound', subject: 'client:a' } as const),
  ...{ count: 1, firstAt: 1, lastAt: 1, samples: [], actions: [], until: now() + 60 },
})
const USE = () => ({ clientId: 'a-client', bindingId: 'laptop', lastUsedAt: 1, until: now() + 60 })
const FOUND = expect.objectContaining({ id: 'a-finding', count: 1 })
const USES = [expect.objectContaining({ bindingId: 'laptop' })]

/** The verbs whose answers are more than a word. */
export const READING = [
  ...['find', 'recall', 'locks', 'noteFinding', 'findings', 'lastUses', 'unusedSince'],
  ...['listKeys', 'countKeys', 'listUses'],
]

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
  notePresentation: (store) => store.notePresentation(keyFor('key'), '192.0.2.0/24'),
  lock: (store) => store.lock(LOCK()),
  locks: (store) => store.locks(),
  unlock: (store) => store.unlock('locked'),
  noteFinding: (store) => store.noteFinding(FINDING()),
  findings: (store) => store.findings(),
  closeFinding: (store) => store.closeFinding('a-finding'),
  noteUse: (store) => store.noteUse(USE()),
  lastUses: (store) => store.lastUses('a-client'),
  unusedSince: (store) => store.unusedSince(2, 10),
  listKeys: (store) => store.listKeys({ limit: 10, state: 'revoked' }),
  countKeys: (store) => store.countKeys(),
  listUses: (store) => store.listUses({ limit: 10 }),
  revokeIssuedBefore: (store) => store.revokeIssuedBefore({ issuedBefore: 1, retainUntil: now() + 60 }),
}

/** The answers to these calls. */
export const SUCCESS = [
  'recorded',
  expect.objectContaining({ state: 'issued' }),
  ...['reserved', 'released', 'reserved', 'resumed', 'settled'],
  { redemption: 'two', outcome: 'sealed' },
  ...['revoked', 'recorded', 'revoked', 'first', 'first'],
  { outcome: 'noted', networks: 1 },
  ...['locked', [expect.objectContaining({ clientId: 'locked' })], 'unlocked'],
  ...[{ finding: FOUND, isOpened: true }, [FOUND], 'closed', undefined, USES, USES],
  { keys: [expect.objectContaining({ jti: 'other', state: 'revoked' })] },
  { issued: 0, redeeming: 0, redeemed: 1, revoked: 1, expired: 0 },
  { uses: [] },
  'revoked',
]

/** Calls all verbs in order. */
export async function everyVerb(store: RedisStore): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const act of Object.values(EVERY_VERB)) answers.push(await act(store))
  return answers
}
