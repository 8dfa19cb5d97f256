import { isObject } from '../base/object.js'
import type {
  KeyEntry,
  KeyRef,
  KeyState,
  ProvisioningStore,
  Recollection,
  RecordOutcome,
  RedeemOutcome,
  ReleaseOutcome,
  RevokeFamilyOutcome,
  RevokeIssuedOutcome,
  RevokeOutcome,
  SettleOutcome,
  UseOnceOutcome,
} from '../ports/store.js'

/** The words that each verb may answer. `find` and `recall` answer more than a word. */
export const ANSWERS = Object.freeze({
  record: words<RecordOutcome>({ recorded: 1, duplicate: 1, revoked: 1, outstanding: 1, full: 1 }),
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
  revokeIssuedBefore: words<RevokeIssuedOutcome>({ revoked: 1, unchanged: 1 }),
  useOnce: words<UseOnceOutcome>({ first: 1, used: 1, limited: 1, full: 1 }),
})

/** All states of a key. */
export const STATES = words<KeyState>({ issued: 1, redeeming: 1, redeemed: 1, revoked: 1 })

/** All members of a union. The compiler rejects a list without one of them. */
function words<T extends string>(all: Record<T, 1>): readonly T[] {
  return Object.freeze(Object.keys(all) as T[])
}

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
  })
}

function word<V extends keyof typeof ANSWERS>(verb: V, answer: Awaited<ReturnType<ProvisioningStore[V]>>) {
  if ((ANSWERS[verb] as readonly unknown[]).includes(answer)) return answer
  throw nonsense(verb, `one of ${ANSWERS[verb].join(', ')}`)
}

function entryOf({ clientId, jti }: KeyRef, entry: KeyEntry | undefined): KeyEntry | undefined {
  if (entry === undefined || (isEntry(entry) && entry.clientId === clientId && entry.jti === jti))
    return entry
  throw nonsense('find', 'the entry of the key, or undefined')
}

function isEntry(entry: unknown): boolean {
  if (!isObject(entry)) return false
  const { state, familyRevoked, familyClientId, confirmation, scope } = entry
  return (
    STATES.some((one) => one === state) &&
    typeof familyRevoked === 'boolean' &&
    isOptionalText(familyClientId) &&
    typeof entry.subject === 'string' &&
    typeof entry.audience === 'string' &&
    Array.isArray(scope) &&
    scope.every((one) => typeof one === 'string') &&
    Number.isFinite(entry.issuedAt) &&
    Number.isFinite(entry.expiresAt) &&
    Number.isFinite(entry.retainUntil) &&
    Number.isFinite(entry.changedAt) &&
    (entry.reservedAt === undefined || Number.isFinite(entry.reservedAt)) &&
    (confirmation === undefined || isConfirmation(confirmation))
  )
}

/** With an empty confirmation, a bound key would count as a bearer key. */
function isConfirmation(confirmation: unknown): boolean {
  if (!isObject(confirmation)) return false
  const { jkt, 'x5t#S256': certificate } = confirmation
  return isOptionalText(jkt) && isOptionalText(certificate) && Boolean(jkt || certificate)
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

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

/** The message does not contain the answer, which could be anything, also a secret. */
function nonsense(verb: string, expected: string): TypeError {
  return new TypeError(`The store's ${verb}() must answer ${expected}.`)
}
