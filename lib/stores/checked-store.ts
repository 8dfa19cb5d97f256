import { isObject } from '../base/object.js'
import type {
  CloseFindingOutcome,
  KeyEntry,
  KeyRef,
  ListingStore,
  LockOutcome,
  MonitoringStore,
  NotePresentationOutcome,
  ProvisioningStore,
  Recollection,
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
import { isEntry, isOptionalText, words } from './checked-entry.js'
import { areCounts, isKeyPage, isUsePage } from './checked-listing.js'
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

/**
 * Checks the answers of a store. If a verb answers something that the port does not allow, it rejects, as if the store
 * had not answered. So no caller can take nonsense for permission.
 */
export function checkedStore(store: ProvisioningStore): ProvisioningStore {
  return Object.freeze<ProvisioningStore>({
    record: async (key, limits) => word('record', await store.record(key, limits)),
    find: async (ref) => entryOf(ref, await store.find(ref)),
    redeem: async (ref, attempt, lease) => word('redeem', await store.redeem(ref, attempt, lease)),
    recall: async (ref, ownerId) => recollection(await store.recall(ref, ownerId)),
    settle: async (ref, attempt, retainUntil, settlement) =>
      word('settle', await store.settle(ref, attempt, retainUntil, settlement)),
    release: async (ref, attempt, hasActed) => word('release', await store.release(ref, attempt, hasActed)),
    revoke: async (ref) => word('revoke', await store.revoke(ref)),
    revokeFamily: async (ref) => word('revokeFamily', await store.revokeFamily(ref)),
    revokeIssuedBefore: async (bound) => word('revokeIssuedBefore', await store.revokeIssuedBefore(bound)),
    useOnce: async (id, until, owner) => word('useOnce', await store.useOnce(id, until, owner)),
    ...checkedMonitoring(store),
    ...checkedListing(store),
  })
}

function checkedMonitoring(store: ProvisioningStore): MonitoringStore {
  return {
    notePresentation: async (ref, network) =>
      checked(
        'notePresentation',
        'what it did, and the number of networks',
        await store.notePresentation(ref, network),
        (noted) => isNotedPresentation(noted, ANSWERS.notePresentation),
      ),
    lock: async (lock) => word('lock', await store.lock(lock)),
    unlock: async (clientId) => word('unlock', await store.unlock(clientId)),
    locks: async () => checked('locks', 'a list of locks', await store.locks(), areLocks),
    noteFinding: async (report) =>
      checked(
        'noteFinding',
        'the finding, and whether it was opened',
        await store.noteFinding(report),
        (noted) => isNotedFinding(noted, report.id),
      ),
    findings: async () => checked('findings', 'a list of findings', await store.findings(), areFindings),
    closeFinding: async (id) => word('closeFinding', await store.closeFinding(id)),
    noteUse: async (use) =>
      checked('noteUse', 'nothing', await store.noteUse(use), (nothing) => nothing === undefined),
    lastUses: async (clientId) =>
      checked('lastUses', 'a list of uses of the client', await store.lastUses(clientId), (uses) =>
        areUses(uses, clientId),
      ),
    unusedSince: async (time, limit) =>
      checked('unusedSince', 'a list of uses', await store.unusedSince(time, limit), (uses) => areUses(uses)),
  }
}

function checkedListing(store: ProvisioningStore): ListingStore {
  return {
    listKeys: async (query) =>
      checked('listKeys', 'a page of the keys', await store.listKeys(query), (page) =>
        isKeyPage(page, query),
      ),
    countKeys: async () => checked('countKeys', 'five counts', await store.countKeys(), areCounts),
    listUses: async (query) =>
      checked('listUses', 'a page of uses', await store.listUses(query), (page) => isUsePage(page, query)),
  }
}

function checked<T>(verb: string, expected: string, answer: T, isExpected: (answer: unknown) => boolean): T {
  if (isExpected(answer)) return answer
  throw nonsense(verb, expected)
}

function word<V extends Exclude<keyof typeof ANSWERS, 'notePresentation'>>(
  verb: V,
  answer: Awaited<ReturnType<ProvisioningStore[V]>>,
) {
  if ((ANSWERS[verb] as readonly unknown[]).includes(answer)) return answer
  throw nonsense(verb, `one of ${ANSWERS[verb].join(', ')}`)
}

function entryOf({ clientId, jti }: KeyRef, entry: KeyEntry | undefined): KeyEntry | undefined {
  if (entry === undefined || (isEntry(entry) && entry.clientId === clientId && entry.jti === jti))
    return entry
  throw nonsense('find', 'the entry of the key, or undefined')
}

function recollection(recalled: Recollection | undefined): Recollection | undefined {
  if (recalled === undefined || isRecollection(recalled)) return recalled
  throw nonsense('recall', 'a redemption and its outcome, or undefined')
}

function isRecollection(recalled: unknown): boolean {
  return (
    isObject(recalled) &&
    typeof recalled.redemption === 'string' &&
    isOptionalText(recalled.outcome) &&
    isOptionalText(recalled.request)
  )
}

/** The message does not contain the answer, which could be anything, also a secret. */
function nonsense(verb: string, expected: string): TypeError {
  return new TypeError(`The store's ${verb}() must answer ${expected}.`)
}
