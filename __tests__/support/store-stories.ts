import fc from 'fast-check'
import type { KeyRecord, KeyRef, ProvisioningStore } from '../../lib/stores/store.js'

/** When each story begins. */
export const START = 1_700_000_000

/** One step of a random story: a verb, or the clock moving, also backwards. */
export const step = fc.record({
  move: fc.constantFrom(
    ...(['record', 'record', 'redeem', 'redeem', 'settle', 'settle', 'release'] as const),
    ...(['revoke', 'revokeFamily', 'revokeFamily', 'find', 'useOnce', 'useOnce', 'pass'] as const),
    'revokeIssuedBefore' as const,
  ),
  ref: fc.record({ clientId: fc.constantFrom('a', '__proto__'), jti: fc.constantFrom('1', '2', '3') }),
  attempt: fc.constantFrom('one', 'one', 'other'),
  seconds: fc.integer({ min: -3, max: 12 }),
  outstanding: fc.integer({ min: 0, max: 3 }),
  issuedAt: fc.integer({ min: START - 3, max: START + 12 }),
  subject: fc.constantFrom('device', 'a'),
  identity: fc.constantFrom(undefined, 'a', '__proto__', 'device'),
})

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Does what a step says, and answers what the store said. */
export function perform(store: ProvisioningStore, step: Step, now: number): Promise<unknown> {
  const { move, ref, attempt, seconds, outstanding, issuedAt, subject, identity } = step
  switch (move) {
    case 'record':
      return store
        .record(recordOf({ ...ref, subject, issuedAt }, now + seconds), { outstanding })
        .catch((error) => error.name)
    case 'settle':
      return store.settle(ref, attempt, now + 2 * seconds)
    case 'useOnce':
      return store.useOnce(ref.clientId + ref.jti, now + seconds).catch((error) => error.name)
    case 'revokeIssuedBefore': {
      const bound = { issuedBefore: issuedAt, retainUntil: now + seconds }
      return store
        .revokeIssuedBefore(identity === undefined ? bound : { ...bound, identity })
        .catch((error) => error.name)
    }
    case 'redeem':
    case 'release':
      return store[move](ref, attempt)
    case 'pass':
      return Promise.resolve()
    default:
      return store[move](ref)
  }
}

function recordOf(given: Pick<KeyRecord, keyof KeyRef | 'subject' | 'issuedAt'>, retainUntil: number) {
  return { ...given, scope: ['read'], audience: 'urn:api', expiresAt: retainUntil, retainUntil }
}
