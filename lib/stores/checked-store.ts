import { describeSecret } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { KeyRef, ProvisioningStore } from '../ports/store.js'
import { ANSWERS } from '../ports/store-outcomes.js'
import { wrapVerbs } from '../ports/store-verbs.js'
import { areCounts, isEntry, isKeyPage, isOptionalText, isUsePage } from './checked-entry.js'
import { areFindings, areLocks, areUses, isNotedFinding, isNotedPresentation } from './checked-monitoring.js'

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
      throw new TypeError(`The store's ${verb}() must answer ${expected}, and not ${describeSecret(answer)}.`)
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
