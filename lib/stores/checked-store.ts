import { isObject } from '../base/object.js'
import type {
  CloseFindingOutcome,
  KeyRef,
  LockOutcome,
  NotePresentationOutcome,
  ProvisioningStore,
  RecordOutcome,
  RedeemOutcome,
  ReleaseOutcome,
  RevokeFamilyOutcome,
  RevokeIssuedOutcome,
  RevokeOutcome,
  SettleOutcome,
  UnlockOutcome,
  UseOnceOutcome,
} from '../ports/store.js'
import { wrapVerbs } from '../ports/store-verbs.js'
import { areCounts, isEntry, isKeyPage, isOptionalText, isUsePage, words } from './checked-entry.js'
import { areFindings, areLocks, areUses, isNotedFinding, isNotedPresentation } from './checked-monitoring.js'

/** The words that verbs may answer. The other verbs answer more than a word. */
export const ANSWERS = Object.freeze({
  record: words<RecordOutcome>({
    recorded: 1,
    duplicate: 1,
    revoked: 1,
    locked: 1,
    unbound: 1,
    outstanding: 1,
    full: 1,
  }),
  redeem: words<RedeemOutcome>({
    reserved: 1,
    resumed: 1,
    redeeming: 1,
    redeemed: 1,
    revoked: 1,
    unknown: 1,
  }),
  settle: words<SettleOutcome>({ settled: 1, lost: 1, revoked: 1, unknown: 1 }),
  release: words<ReleaseOutcome>({ released: 1, lost: 1, revoked: 1, unknown: 1 }),
  revoke: words<RevokeOutcome>({ revoked: 1, unchanged: 1, redeemed: 1, unknown: 1 }),
  revokeFamily: words<RevokeFamilyOutcome>({ revoked: 1, unchanged: 1, not_redeemed: 1, unknown: 1 }),
  revokeIssuedBefore: words<RevokeIssuedOutcome>({ revoked: 1, unchanged: 1, full: 1 }),
  useOnce: words<UseOnceOutcome>({ first: 1, used: 1, limited: 1, full: 1 }),
  notePresentation: words<NotePresentationOutcome>({ noted: 1, known: 1, full: 1, unknown: 1 }),
  lock: words<LockOutcome>({ locked: 1, unchanged: 1, full: 1 }),
  unlock: words<UnlockOutcome>({ unlocked: 1, unknown: 1 }),
  closeFinding: words<CloseFindingOutcome>({ closed: 1, unknown: 1 }),
})

/** What a verb must answer, in words, and whether it does. */
type Check<V extends keyof ProvisioningStore> = readonly [
  expected: string,
  isExpected: (answer: unknown, ...given: Parameters<ProvisioningStore[V]>) => boolean,
]

const CHECKS: { readonly [V in keyof ProvisioningStore]: Check<V> } = {
  record: oneOf(ANSWERS.record),
  find: ['the entry of the key, or undefined', isEntryOf],
  redeem: oneOf(ANSWERS.redeem),
  recall: ['a redemption and its outcome, or undefined', isRecollection],
  settle: oneOf(ANSWERS.settle),
  release: oneOf(ANSWERS.release),
  revoke: oneOf(ANSWERS.revoke),
  revokeFamily: oneOf(ANSWERS.revokeFamily),
  revokeIssuedBefore: oneOf(ANSWERS.revokeIssuedBefore),
  useOnce: oneOf(ANSWERS.useOnce),
  notePresentation: [
    'what it did, and the number of networks',
    (noted) => isNotedPresentation(noted, ANSWERS.notePresentation),
  ],
  lock: oneOf(ANSWERS.lock),
  unlock: oneOf(ANSWERS.unlock),
  locks: ['a list of locks', areLocks],
  noteFinding: ['the finding, and whether it was opened', (noted, { id }) => isNotedFinding(noted, id)],
  findings: ['a list of findings', areFindings],
  closeFinding: oneOf(ANSWERS.closeFinding),
  noteUse: ['nothing', (nothing) => nothing === undefined],
  lastUses: ['a list of uses of the client', areUses],
  unusedSince: ['a list of uses', (uses) => areUses(uses)],
  listKeys: ['a page of the keys', isKeyPage],
  countKeys: ['five counts', areCounts],
  listUses: ['a page of uses', isUsePage],
}

/**
 * Checks the answers of a store. If a verb answers something that the port does not allow, it rejects, as if the store
 * had not answered. So no caller can take nonsense for permission.
 */
export function checkedStore(store: ProvisioningStore): ProvisioningStore {
  return wrapVerbs(store, (call, verb) => {
    const [expected, isExpected] = CHECKS[verb] as readonly [string, (...values: unknown[]) => boolean]
    return async (...given) => {
      const answer = await call(...given)
      if (isExpected(answer, ...given)) return answer
      // The message does not contain the answer, which could be anything, also a secret.
      throw new TypeError(`The store's ${verb}() must answer ${expected}.`)
    }
  })
}

function oneOf(all: readonly string[]): readonly [string, (answer: unknown) => boolean] {
  return [`one of ${all.join(', ')}`, (answer) => all.some((one) => one === answer)]
}

function isEntryOf(entry: unknown, { clientId, jti }: KeyRef): boolean {
  return entry === undefined || (isEntry(entry) && entry.clientId === clientId && entry.jti === jti)
}

function isRecollection(recalled: unknown): boolean {
  if (recalled === undefined) return true
  return (
    isObject(recalled) &&
    typeof recalled.redemption === 'string' &&
    isOptionalText(recalled.outcome) &&
    isOptionalText(recalled.request)
  )
}
